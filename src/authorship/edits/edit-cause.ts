import type { AgentId } from "../../agents/agent-event.ts";
import type { Repository } from "../../git/repository.ts";
import { listShellCalls, type ShellCall } from "../../journal/calls/shell-calls.ts";
import type { JournalDeps } from "../../journal/log/journal.ts";
import { appendSessionRecord, type SessionRecord } from "../../journal/log/session-log.ts";
import type { Processes } from "../../system/process/processes.ts";
import { agentLineKey, sessionKey, traceOfToolCall } from "../note/keys.ts";
import type { EditCause } from "./record-edit.ts";

export interface ObserveDeps extends JournalDeps {
  readonly processes: Processes;
}

/**
 * The shell call that a change found between two looks was made in, if exactly one session has calls open: else nobody
 * can say. `asking` is the agent whose own call begins, if it is an agent's: what its other calls do is seen when they end.
 */
export function findOnlyOpenCall(
  repository: Repository,
  asking: AgentId | undefined,
  deps: ObserveDeps,
): ShellCall | undefined {
  const open = listShellCalls(repository, deps);
  const sessions = new Set(open.map((call) => sessionKey(call.agent)));
  const isAsking = asking !== undefined && sessions.has(sessionKey(asking));
  return sessions.size === 1 && !isAsking ? open[0] : undefined;
}

export function shellCause(call: {
  readonly agent: AgentId;
  readonly toolUseId: string;
  readonly subagentId?: string;
}): EditCause {
  const { agent, toolUseId, subagentId } = call;
  return {
    owner: agentLineKey(sessionKey(agent), traceOfToolCall(agent, toolUseId)),
    agent,
    evidence: "shell",
    ...(subagentId ? { subagentId } : {}),
  };
}

/** Links the lines of a tool call to the prompt that was being answered. */
export function appendEditRecord(
  repository: Repository,
  deps: ObserveDeps,
  call: {
    readonly agent: AgentId;
    readonly toolUseId: string;
    readonly toolName: string;
    readonly subagentId?: string;
    readonly evidence: "edit" | "shell";
  },
): void {
  const { agent, toolUseId, toolName, evidence, subagentId } = call;
  const record: SessionRecord = {
    kind: "edit",
    at: deps.clock.nowMs(),
    trace: traceOfToolCall(agent, toolUseId),
    toolUseId,
    toolName,
    evidence,
    ...(subagentId ? { subagentId } : {}),
  };
  appendSessionRecord(repository, deps.files, { session: sessionKey(agent), record });
}
