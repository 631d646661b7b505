import type { CompactLine, ToolResult } from "./compact-line.ts";

export interface TrajectoryFacts {
  readonly sessionId: string;
  readonly agent: string;
  readonly agentVersion: string;
  readonly model: string | undefined;
}

/**
 * A conversation as one ATIF 1.7 document (Agent Trajectory Interchange Format of Harbor): a step for each message of the
 * user and of the agent, numbered from 1 without gaps; results of tools stand with the call that they answer. Pure.
 */
export function encodeTrajectory(lines: readonly CompactLine[], facts: TrajectoryFacts): object {
  const steps = lines.map((line, at) => encodeStep(line, at + 1, facts.model));
  const sum = (key: "prompt_tokens" | "completion_tokens") =>
    steps.reduce((total, { metrics }) => total + (metrics?.[key] ?? 0), 0);
  return {
    schema_version: "ATIF-v1.7",
    session_id: facts.sessionId,
    agent: {
      name: facts.agent,
      version: facts.agentVersion,
      ...(facts.model === undefined ? {} : { model_name: facts.model }),
    },
    steps,
    final_metrics: {
      total_prompt_tokens: sum("prompt_tokens"),
      total_completion_tokens: sum("completion_tokens"),
      total_steps: steps.length,
    },
  };
}

interface Step {
  readonly step_id: number;
  readonly timestamp?: string;
  readonly source: "user" | "agent";
  readonly message: string;
  readonly model_name?: string;
  readonly tool_calls?: readonly object[];
  readonly observation?: { readonly results: readonly object[] };
  readonly metrics?: { readonly prompt_tokens: number; readonly completion_tokens: number };
}

function encodeStep(line: CompactLine, stepId: number, model: string | undefined): Step {
  const timestamp = line.ts === undefined || line.ts === "" ? {} : { timestamp: line.ts };
  if (line.type === "user") {
    const texts = line.content.flatMap((block) =>
      "text" in block && typeof block["text"] === "string" ? [block["text"]] : [],
    );
    return { step_id: stepId, ...timestamp, source: "user", message: texts.join("\n\n") };
  }
  const texts = line.content.flatMap((block) => (block.type === "text" ? [block.text] : []));
  const tools = line.content.flatMap((block) => (block.type === "tool_use" ? [block] : []));
  const calls = tools.map(({ id, name, input }, at) => ({
    tool_call_id: id ?? `call-${stepId}-${at + 1}`,
    function_name: name ?? "tool",
    arguments: typeof input === "object" && input !== null ? input : { input },
    result: resultText(tools[at]?.result),
  }));
  const results = calls.flatMap(({ tool_call_id, result }) =>
    result === undefined ? [] : [{ source_call_id: tool_call_id, content: result }],
  );
  const { inputTokens = 0, outputTokens = 0 } = line;
  return {
    step_id: stepId,
    ...timestamp,
    source: "agent",
    message: texts.join("\n\n"),
    ...(model === undefined ? {} : { model_name: model }),
    ...(calls.length === 0 ? {} : { tool_calls: calls.map(({ result: _result, ...call }) => call) }),
    ...(results.length === 0 ? {} : { observation: { results } }),
    ...(inputTokens + outputTokens === 0
      ? {}
      : { metrics: { prompt_tokens: inputTokens, completion_tokens: outputTokens } }),
  };
}

function resultText(result: ToolResult | undefined): string | undefined {
  return result === undefined ? undefined : (result.output ?? result.status);
}
