import type { AgentId } from "../../agents/agent-event.ts";
import type { Repository } from "../../git/repository.ts";
import { pruneAndListShellCalls, type ShellCall } from "../../journal/calls/shell-calls.ts";
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
 * can say. `asking` is whose call begins, if it is an agent's: one that seems to go on beside a call of the same agent may
 * have been refused without a word, but a subagent's call goes on beside those of the others.
 */
export function findOnlyOpenCall(
  repository: Repository,
  asking: { readonly agent: AgentId; readonly subagentId?: string } | undefined,
  deps: ObserveDeps,
): ShellCall | undefined {
  const open = pruneAndListShellCalls(repository, deps);
  const sessions = new Set(open.map((call) => sessionKey(call.agent)));
  if (sessions.size !== 1) return undefined;
  const isOwn = asking !== undefined && sessions.has(sessionKey(asking.agent));
  return open.find((call) => call.isDoubtful !== true && !(isOwn && call.subagentId === asking.subagentId));
}

interface CausingCall {
  readonly agent: AgentId;
  readonly toolUseId: string;
  readonly subagentId?: string;
}

export function shellCause(call: CausingCall): EditCause {
  return causeOfCall(call, "shell");
}

/** Does not end the call: that is told by its own hook. */
export function editCause(call: CausingCall): EditCause {
  return causeOfCall(call, "edit");
}

function causeOfCall({ agent, toolUseId, subagentId }: CausingCall, evidence: "edit" | "shell"): EditCause {
  return {
    owner: agentLineKey(sessionKey(agent), traceOfToolCall(agent, toolUseId)),
    agent,
    evidence,
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
    readonly transcriptPath?: string;
  },
): void {
  const { agent, toolUseId, toolName, evidence, subagentId, transcriptPath } = call;
  const transcript = transcriptPath === undefined ? {} : { transcriptPath };
  const record: SessionRecord = {
    kind: "edit",
    at: deps.clock.nowMs(),
    trace: traceOfToolCall(agent, toolUseId),
    toolUseId,
    toolName,
    evidence,
    ...(subagentId ? { subagentId } : {}),
    ...(agent.model === "unknown" ? transcript : { model: agent.model }),
  };
  appendSessionRecord(repository, deps.files, { session: sessionKey(agent), record });
}
