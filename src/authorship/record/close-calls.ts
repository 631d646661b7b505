import type { AgentAdapter, AgentEvent } from "../../agents/agent-event.ts";
import { sha256Hex } from "../../base/digest.ts";
import { findRepository, type Repository } from "../../git/repository.ts";
import { readBaseCommit } from "../../journal/base-commit.ts";
import {
  listOpenEdits,
  type OpenEdit,
  removeOpenEdit,
  writeOpenEdit,
} from "../../journal/calls/open-edits.ts";
import { listShellCalls, removeShellCall, type ShellCall } from "../../journal/calls/shell-calls.ts";
import { recordInJournal } from "../../journal/log/record-or-wait.ts";
import type { ObserveDeps } from "../edits/edit-cause.ts";
import { locatePath } from "../edits/locate-path.ts";
import { recordEdit } from "../edits/record-edit.ts";
import { TreeReader } from "../edits/tree-reader.ts";
import { sessionKey } from "../note/keys.ts";
import { observe } from "./observe.ts";

type FromAgent = Extract<AgentEvent, { readonly agent: unknown }>;

/**
 * Settles the calls of a conversation that have begun, before its next event is taken in: agents drop the hook after a
 * call, or do not wait for it. An edit is credited if the file holds what the call was to leave; a shell call only of
 * agents that are known to drop its end, which else would be nobody's whenever it failed. What is left open when a turn
 * is over is nobody's.
 */
export function closeCalls(
  event: AgentEvent,
  { afterHooks }: Pick<AgentAdapter, "afterHooks">,
  deps: ObserveDeps,
): void {
  if (!("agent" in event) || event.subagentId !== undefined) return;
  const repository = findRepository(event.cwd, deps);
  if (repository?.workTree === undefined) return;
  const isOver = ["prompt", "turn-end", "session-end"].includes(event.kind);
  if (isOver || afterHooks !== undefined) {
    closeEdits(event, repository, { deps, isOver });
    closeShellCalls(event, repository, { deps, isOver, afterHooks });
  }
  trackEdit(event, repository, deps);
}

/** Keeps an edit on record from its beginning to its end. */
function trackEdit(event: FromAgent, repository: Repository, { files }: ObserveDeps): void {
  if (event.kind === "after-edit") removeOpenEdit(repository, files, event);
  if (event.kind !== "before-edit") return;
  const { agent, toolUseId, toolName, expected } = event;
  const edited = event.paths.map((path) => {
    const after = expected?.(textIfFile(path, files));
    return after === undefined ? { path } : { path, expected: sha256Hex(after) };
  });
  writeOpenEdit(repository, files, { agent, toolUseId, toolName, files: edited });
}

/** Larger files are not read to foretell what an edit makes of them. */
const maxForetoldBytes = 4 * 1024 * 1024;

function textIfFile(path: string, files: ObserveDeps["files"]): string | undefined {
  const stat = files.statIfExists(path);
  if (stat?.kind !== "file" || stat.sizeBytes > maxForetoldBytes) return undefined;
  return files.readIfExists(path)?.toString("utf8");
}

function closeEdits(
  event: FromAgent,
  repository: Repository,
  { deps, isOver }: { readonly deps: ObserveDeps; readonly isOver: boolean },
): void {
  for (const edit of listOpenEdits(repository, deps.files)) {
    if (sessionKey(edit.agent) !== sessionKey(event.agent)) continue;
    if ("toolUseId" in event && event.toolUseId === edit.toolUseId) continue;
    const done = edit.files.filter((file) => holdsExpected(file, deps)).map(({ path }) => path);
    if (done.length === edit.files.length) {
      const { agent, toolUseId, toolName } = edit;
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
        },
        deps,
      );
    } else if (isOver) forgetEdit(edit, repository, deps);
    else continue;
    removeOpenEdit(repository, deps.files, edit);
  }
}

function holdsExpected(file: OpenEdit["files"][number], { files }: ObserveDeps): boolean {
  if (file.expected === undefined) return false;
  const text = textIfFile(file.path, files);
  return text !== undefined && sha256Hex(text) === file.expected;
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

function closeShellCalls(
  event: FromAgent,
  repository: Repository,
  {
    deps,
    isOver,
    afterHooks,
  }: {
    readonly deps: ObserveDeps;
    readonly isOver: boolean;
    readonly afterHooks: AgentAdapter["afterHooks"];
  },
): void {
  for (const call of listShellCalls(repository, deps)) {
    if (sessionKey(call.agent) !== sessionKey(event.agent) || call.subagentId !== undefined) continue;
    if ("toolUseId" in event && event.toolUseId === call.toolUseId) continue;
    const isNext = event.kind !== "prompt" && event.kind !== "session-end";
    if (afterHooks === undefined || !isNext) {
      if (isOver) removeShellCall(repository, deps.files, call);
      continue;
    }
    const ended = shellEvent(call, event);
    observe({ ...ended, kind: "after-shell", mayBeLate: true }, deps);
    // it may still run, and its own end be on the way: what it does from here on is looked at again
    if (afterHooks === "late" && !isOver) observe({ ...ended, kind: "before-shell" }, deps);
  }
}

function shellEvent({ agent, toolUseId, toolName }: ShellCall, { cwd, agent: now }: FromAgent) {
  const model = agent.model === "unknown" ? now.model : agent.model;
  return { agent: { ...agent, model }, cwd, toolUseId, toolName };
}
