import type { AgentId } from "../agents/agent-event.ts";
import type { Repository } from "../git/repository.ts";
import type { JournalDeps } from "../journal/journal.ts";
import { appendSessionRecord, type SessionRecord } from "../journal/session-log.ts";
import { listShellCalls } from "../journal/shell-calls.ts";
import type { Processes } from "../system/processes.ts";
import { agentLineKey, sessionKey, traceOfToolCall } from "./keys.ts";
import type { EditCause } from "./record-edit.ts";

export interface ObserveDeps extends JournalDeps {
  readonly processes: Processes;
}

/**
 * Whose a change is that was found between two looks: if exactly one session has a shell call open it was that one's,
 * else nobody's. `asking` is the agent whose own call begins: its other open calls are the same session.
 */
export function unobservedCause(repository: Repository, asking: AgentId, deps: ObserveDeps): EditCause {
  const open = listShellCalls(repository, deps).filter((call) => call.endedAt === undefined);
  const sessions = new Set(open.map((call) => sessionKey(call.agent)));
  const call = open[0];
  if (call === undefined || sessions.size !== 1 || sessions.has(sessionKey(asking))) return { owner: null };
  return shellCause(call);
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
