import { fieldsOf, type LineFields, listOf, numberOf, textOf } from "./json-fields.ts";

/**
 * Agents whose transcripts say the same as Claude Code's in other fields, by our name: a line of theirs as the lines that
 * Claude Code would have written. What is theirs alone (system prompts, tool texts, telemetry) has no such line.
 */
export const claudeForms: Readonly<Record<string, (line: LineFields) => readonly LineFields[]>> = {
  qwen: qwenForm,
  kimi: kimiForm,
  cline: clineForm,
  auggie: auggieForm,
};

interface Said {
  readonly id?: string | undefined;
  readonly ts?: string | undefined;
  readonly model?: string | undefined;
  readonly content: readonly LineFields[];
  readonly usage?: LineFields | undefined;
}

function lineOf(role: "user" | "assistant", { id, ts, model, content, usage }: Said): LineFields {
  const message = { role, content, ...given({ id, model, usage }) };
  return { type: role, message, ...given({ timestamp: ts }) };
}

function given(fields: LineFields): LineFields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function toolUse(id: unknown, name: unknown, input: unknown): LineFields {
  return { type: "tool_use", ...given({ id, name, input }) };
}

function usageOf(counts: {
  readonly input: unknown;
  readonly output: unknown;
  readonly read?: unknown;
  readonly written?: unknown;
}): LineFields {
  return {
    input_tokens: numberOf(counts.input) ?? 0,
    output_tokens: numberOf(counts.output) ?? 0,
    cache_read_input_tokens: numberOf(counts.read) ?? 0,
    cache_creation_input_tokens: numberOf(counts.written) ?? 0,
  };
}

/** `{type, uuid, timestamp, model, usageMetadata, message{parts[{text} {functionCall} {functionResponse}]}}` */
function qwenForm(line: LineFields): readonly LineFields[] {
  const kind = textOf(line["type"]);
  if (kind !== "user" && kind !== "assistant" && kind !== "tool_result") return [];
  const parts = listOf(fieldsOf(line["message"])?.["parts"]).map(fieldsOf);
  const content = parts.flatMap((part) =>
    part === undefined || part["thought"] === true ? [] : geminiBlock(part),
  );
  const said = { id: textOf(line["uuid"]), ts: textOf(line["timestamp"]), content };
  if (kind !== "assistant") return [lineOf("user", said)];
  const counts = fieldsOf(line["usageMetadata"]);
  const cached = numberOf(counts?.["cachedContentTokenCount"]) ?? 0;
  // cached tokens are among the input, thoughts are not among the output
  const usage =
    counts &&
    usageOf({
      input: Math.max(0, (numberOf(counts["promptTokenCount"]) ?? 0) - cached),
      output: (numberOf(counts["candidatesTokenCount"]) ?? 0) + (numberOf(counts["thoughtsTokenCount"]) ?? 0),
      read: cached,
    });
  return [lineOf("assistant", { ...said, model: textOf(line["model"]), usage })];
}

function geminiBlock(part: LineFields): LineFields[] {
  const text = textOf(part["text"]);
  if (text !== undefined) return [{ type: "text", text }];
  const call = fieldsOf(part["functionCall"]);
  if (call !== undefined) return [toolUse(call["id"], call["name"], call["args"])];
  const response = fieldsOf(part["functionResponse"]);
  if (response === undefined) return [];
  const result = fieldsOf(response["response"]);
  const output = textOf(result?.["output"]) ?? textOf(result?.["error"]) ?? "";
  const isError = result?.["error"] !== undefined;
  return [{ type: "tool_result", tool_use_id: response["id"], content: output, is_error: isError }];
}

/** Events of the wire: `turn.prompt`, `llm.request`, `usage.record`, and `context.append_loop_event` with an event in it. */
function kimiForm(line: LineFields): readonly LineFields[] {
  const ts = isoTime(line["time"]);
  switch (line["type"]) {
    case "turn.prompt": {
      if (textOf(fieldsOf(line["origin"])?.["kind"]) !== "user") return [];
      const content = listOf(line["input"])
        .map(fieldsOf)
        .filter((block) => block !== undefined);
      return [lineOf("user", { ts, content })];
    }
    case "llm.request":
      return [lineOf("assistant", { ts, model: textOf(line["model"]), content: [] })];
    case "usage.record": {
      const usage = fieldsOf(line["usage"]);
      const counts = {
        input: usage?.["inputOther"],
        output: usage?.["output"],
        read: usage?.["inputCacheRead"],
        written: usage?.["inputCacheCreation"],
      };
      return [lineOf("assistant", { ts, content: [], usage: usageOf(counts) })];
    }
    case "context.append_loop_event":
      return kimiLoopForm(fieldsOf(line["event"]) ?? {}, ts);
    default:
      return [];
  }
}

function kimiLoopForm(event: LineFields, ts: string | undefined): readonly LineFields[] {
  switch (event["type"]) {
    case "content.part": {
      const part = fieldsOf(event["part"]);
      return part?.["type"] === "text" ? [lineOf("assistant", { ts, content: [part] })] : [];
    }
    case "tool.call":
      return [
        lineOf("assistant", { ts, content: [toolUse(event["toolCallId"], event["name"], event["args"])] }),
      ];
    case "tool.result": {
      const content = textOf(fieldsOf(event["result"])?.["output"]) ?? "";
      return [
        lineOf("user", { ts, content: [{ type: "tool_result", tool_use_id: event["toolCallId"], content }] }),
      ];
    }
    default:
      return [];
  }
}

/** A message of the document: `{id, role, content[], ts, modelInfo{id}, metrics{}}`, blocks as Claude Code has them. */
function clineForm(message: LineFields): readonly LineFields[] {
  const role = textOf(message["role"]);
  if (role !== "user" && role !== "assistant") return [];
  const blocks = listOf(message["content"])
    .map(fieldsOf)
    .filter((block) => block !== undefined);
  const content = blocks.map((block) =>
    block["type"] === "text" ? { ...block, text: stripUserInput(textOf(block["text"]) ?? "") } : block,
  );
  const counts = fieldsOf(message["metrics"]);
  const usage =
    counts &&
    usageOf({
      input: counts["inputTokens"],
      output: counts["outputTokens"],
      read: counts["cacheReadTokens"],
      written: counts["cacheWriteTokens"],
    });
  const model = textOf(fieldsOf(message["modelInfo"])?.["id"]);
  return [lineOf(role, { id: textOf(message["id"]), ts: isoTime(message["ts"]), model, content, usage })];
}

/** What a person typed stands in `<user_input mode="...">`. */
function stripUserInput(text: string): string {
  return text.replace(/^<user_input(?: [^>]{0,200})?>([\s\S]*)<\/user_input>\s*$/, "$1");
}

/** An exchange: `{exchange{request_id, request_message, request_nodes[], response_text, response_nodes[]}, finishedAt}` */
function auggieForm(line: LineFields): readonly LineFields[] {
  const exchange = fieldsOf(line["exchange"]);
  if (exchange === undefined) return [];
  const id = textOf(exchange["request_id"]);
  const ts = textOf(line["finishedAt"]);
  const results = nodesOf(exchange["request_nodes"], "tool_result_node").map((node) => ({
    type: "tool_result",
    ...given({ tool_use_id: node["tool_use_id"], content: node["content"], is_error: node["is_error"] }),
  }));
  const asked = textOf(exchange["request_message"]) ?? "";
  const answered = textOf(exchange["response_text"]) ?? "";
  const calls = nodesOf(exchange["response_nodes"], "tool_use").map((node) =>
    toolUse(node["tool_use_id"], node["tool_name"], parseJson(node["input_json"])),
  );
  const [usage] = nodesOf(exchange["response_nodes"], "token_usage");
  const user = [...results, ...(asked === "" ? [] : [{ type: "text", text: asked }])];
  const assistant = [...(answered === "" ? [] : [{ type: "text", text: answered }]), ...calls];
  return [
    ...(user.length === 0 ? [] : [lineOf("user", { ts, content: user })]),
    lineOf("assistant", { id, ts, content: assistant, usage }),
  ];
}

function nodesOf(nodes: unknown, name: string): LineFields[] {
  return listOf(nodes).flatMap((node) => {
    const found = fieldsOf(fieldsOf(node)?.[name]);
    return found === undefined ? [] : [found];
  });
}

function parseJson(text: unknown): unknown {
  try {
    return JSON.parse(textOf(text) ?? "");
  } catch {
    return undefined; // cut off
  }
}

function isoTime(value: unknown): string | undefined {
  const ms = numberOf(value);
  return ms === undefined || Math.abs(ms) > 8.64e15 ? undefined : new Date(ms).toISOString();
}
