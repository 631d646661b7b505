import type { AgentAdapter, AgentEvent } from "../../agents/agent-event.ts";
import { findRepository, type Repository } from "../../git/repository.ts";
import { readBaseCommit } from "../../journal/base-commit.ts";
import { type OpenEdit, pruneAndListOpenEdits, removeOpenEdit } from "../../journal/calls/open-edits.ts";
import {
  pruneAndListShellCalls,
  readShellCall,
  removeShellCall,
  type ShellCall,
  writeShellCall,
} from "../../journal/calls/shell-calls.ts";
import { recordInJournal } from "../../journal/log/record-or-wait.ts";
import type { ObserveDeps } from "../edits/edit-cause.ts";
import { locatePath } from "../edits/locate-path.ts";
import { recordEdit } from "../edits/record-edit.ts";
import { holdsExpected } from "../edits/track-edit.ts";
import { TreeReader } from "../edits/tree-reader.ts";
import { sessionKey } from "../note/keys.ts";
import { observe } from "./observe.ts";

type FromAgent = Extract<AgentEvent, { readonly agent: unknown }>;

interface Closing {
  readonly event: FromAgent;
  readonly repository: Repository;
  readonly deps: ObserveDeps;
  readonly afterHooks: AgentAdapter["afterHooks"];
  /** The turn of whoever the event tells of is over, and its calls with it. */
  readonly isOver: boolean;
}

/**
 * Settles the calls of a conversation that have begun, before its next event is taken in: agents drop the hook after a
 * call, or do not wait for it. An edit is credited if the file holds what the call was to leave; a shell call only of
 * agents that are known to drop its end, which else would be nobody's whenever it failed. What is left open when a turn
 * is over is nobody's. A subagent's calls go beside those of the agent that started it: its own events settle them, and
 * the end of the conversation.
 */
export function closeCalls(
  event: AgentEvent,
  { afterHooks }: Pick<AgentAdapter, "afterHooks">,
  deps: ObserveDeps,
): void {
  if (!("agent" in event)) return;
  const isSubagents = event.kind === "subagent-end" && event.subagentId !== undefined;
  const isOver = isSubagents || ["prompt", "turn-end", "session-end"].includes(event.kind);
  if (!isOver && afterHooks === undefined) return;
  const repository = findRepository(event.cwd, deps);
  if (repository?.workTree === undefined) return;
  const closing: Closing = { event, repository, deps, afterHooks, isOver };
  closeEdits(closing);
  closeShellCalls(closing);
}

type OpenCall = Pick<OpenEdit | ShellCall, "agent" | "toolUseId" | "subagentId">;

/** Whether the event is of the conversation whose call this is, and of another call. */
function isSameSession({ event }: Closing, call: OpenCall): boolean {
  const isItself = "toolUseId" in event && event.toolUseId === call.toolUseId;
  return sessionKey(call.agent) === sessionKey(event.agent) && !isItself;
}

/** Whether the event is of the same agent in it: the main one, or one of its subagents. */
function isSameLane({ event }: Closing, call: OpenCall): boolean {
  return event.kind === "session-end" || call.subagentId === event.subagentId;
}

function closeEdits(closing: Closing): void {
  const { event, repository, deps, isOver } = closing;
  for (const edit of pruneAndListOpenEdits(repository, deps)) {
    if (!isSameSession(closing, edit) || !isSameLane(closing, edit)) continue;
    const done = edit.files.filter((file) => holdsExpected(file, deps.files)).map(({ path }) => path);
    if (done.length === edit.files.length) {
      const { agent, toolUseId, toolName, subagentId } = edit;
      // the model may have become known since the call began, and the end of a turn may not tell it
      const model = event.agent.model === "unknown" ? agent.model : event.agent.model;
      observe(
        {
          kind: "after-edit",
          agent: { ...agent, model },
          cwd: event.cwd,
          toolUseId,
          toolName,
          paths: done,
          ...(subagentId ? { subagentId } : {}),
          ...(event.transcriptPath ? { transcriptPath: event.transcriptPath } : {}),
        },
        deps,
      );
    } else if (isOver) forgetEdit(edit, repository, deps);
    else continue;
    removeOpenEdit(repository, deps.files, edit);
  }
}

/** The call is over; what the files hold now is nobody's work. */
function forgetEdit(edit: OpenEdit, repository: Repository, deps: ObserveDeps): void {
  const base = readBaseCommit(repository, deps.files, deps.processes);
  const tree = new TreeReader(repository, deps);
  recordInJournal(deps, repository, base, (journal) => {
    for (const { path: text } of edit.files) {
      const located = locatePath(text, repository.workTree ?? "", deps);
      if (located.kind !== "inside" || located.repository.gitDir !== repository.gitDir) continue;
      const after = tree.capture(located.path, located.absolute);
      recordEdit(journal, { path: located.path, after, cause: { owner: null, toolUseId: edit.toolUseId } });
    }
  });
}

function closeShellCalls(closing: Closing): void {
  const { event, repository, deps, afterHooks, isOver } = closing;
  for (const call of pruneAndListShellCalls(repository, deps)) {
    if (!isSameSession(closing, call)) continue;
    if (!isSameLane(closing, call)) {
      // a subagent may go on behind the turn, or may be gone with it: nobody says which
      if (isOver && event.subagentId === undefined) doubt(closing, call);
      continue;
    }
    const isNext = event.kind !== "prompt" && event.kind !== "session-end";
    if (afterHooks === undefined || !isNext || (isOver && call.isDoubtful === true)) {
      if (isOver) removeShellCall(repository, deps.files, call);
      continue;
    }
    if (call.isDoubtful === true) continue;
    const ended = shellEvent(call, event);
    observe({ ...ended, kind: "after-shell", mayBeLate: true }, deps);
    if (afterHooks !== "late" || isOver) continue;
    // it may still run, and its own end be on the way, which looks again at what it does from here on
    observe({ ...ended, kind: "before-shell" }, deps);
    doubt(closing, call);
  }
}

function doubt({ repository, deps }: Closing, key: ShellCall): void {
  const call = readShellCall(repository, deps.files, key);
  if (call !== undefined && call.isDoubtful !== true)
    writeShellCall(repository, deps.files, { ...call, isDoubtful: true });
}

function shellEvent(
  { agent, toolUseId, toolName, subagentId }: ShellCall,
  { cwd, agent: now, transcriptPath }: FromAgent,
) {
  const model = agent.model === "unknown" ? now.model : agent.model;
  return {
    agent: { ...agent, model },
    cwd,
    toolUseId,
    toolName,
    ...(subagentId ? { subagentId } : {}),
    ...(transcriptPath ? { transcriptPath } : {}),
  };
}
