import { dirname } from "node:path";
import type { AgentEvent } from "../../agents/agent-event.ts";
import { errorText } from "../../base/errors.ts";
import type { RepoPath } from "../../git/ids.ts";
import { findRepository, type Repository } from "../../git/repository.ts";
import { readBaseCommit } from "../../journal/base-commit.ts";
import { removeOpenEdit } from "../../journal/calls/open-edits.ts";
import { pruneAndListShellCalls, readShellCall, removeShellCall } from "../../journal/calls/shell-calls.ts";
import { isOwned, listEpochs } from "../../journal/layout.ts";
import { appendSessionRecord, type SessionRecord } from "../../journal/log/session-log.ts";
import { recordProblem } from "../../state/problems.ts";
import type { ObserveDeps } from "../edits/edit-cause.ts";
import { locatePath } from "../edits/locate-path.ts";
import { writeBegunEdit } from "../edits/track-edit.ts";
import { sessionKey } from "../note/keys.ts";
import { observeShellEnd, observeShellStart } from "../shell/observe-shell.ts";
import { findAllShellPlaces, findShellPlaces } from "../shell/shell-places.ts";
import { observePaths, type PathEvent, type PathGroup } from "./observe-paths.ts";

export interface ObserveOutcome {
  /** Paths whose lines were credited to somebody. */
  readonly credited: number;
  /** Paths looked at. */
  readonly seen: number;
  /** What could not be done, one sentence each; recorded for `status` and `doctor` as well. */
  readonly problems: readonly string[];
  /** True if commits were made that no hook saw: settle them now. */
  readonly wantsSettle: boolean;
}

/**
 * Takes one event of an agent or editor into the journal. Synchronous, and runs no program but git, and that only
 * around shell calls or where the baseline is a commit. Never throws: what fails is a problem in the outcome.
 */
export function observe(event: AgentEvent, deps: ObserveDeps): ObserveOutcome {
  const outcome = { credited: 0, seen: 0, problems: [] as string[], wantsSettle: false };
  const home = findHome(event, deps);
  const guarded = (work: () => void) => {
    try {
      work();
    } catch (error) {
      outcome.problems.push(errorText(error));
    }
  };
  switch (event.kind) {
    case "before-edit":
    case "after-edit":
    case "before-human-edit":
    case "known-human-edit":
    case "untracked-edit":
      // before the edit can land, and until what it did is known
      if (event.kind === "before-edit" && home !== undefined)
        guarded(() => writeBegunEdit(event, home, deps));
      for (const group of groupByRepository(event, deps, outcome.problems)) {
        guarded(() => observePaths(event, group, { deps, outcome }));
      }
      if (event.kind === "after-edit" && home !== undefined) removeOpenEdit(home, deps.files, event);
      break;
    case "read-call":
      break;
    case "before-shell":
      if (home === undefined) break;
      for (const place of [home, ...findShellPlaces(home, event, deps)])
        guarded(() => observeShellStart(event, place, { deps, outcome }));
      break;
    case "after-shell":
      if (home === undefined) break;
      for (const place of placesOfCall(event, home, deps))
        guarded(() => observeShellEnd(event, place, { deps, outcome }));
      break;
    default:
      if (home === undefined) break;
      guarded(() => observeSession(event, home, deps));
      // before new work begins, what a commit holds that no hook saw gets its owners and its conversation
      if (event.kind === "prompt")
        guarded(() => {
          outcome.wantsSettle = hasLeftEpoch(home, deps);
        });
  }
  const repository = home;
  if (repository !== undefined) {
    for (const what of outcome.problems)
      recordProblem(repository, deps.files, { at: deps.clock.nowMs(), where: whereOf(event), what });
  }
  return outcome;
}

/** Where the beginning of a call was seen: it may have changed to another work tree on the way. */
function placesOfCall(
  event: Extract<AgentEvent, { readonly kind: "after-shell" }>,
  home: Repository,
  deps: ObserveDeps,
): Repository[] {
  const begun = [home, ...findAllShellPlaces(home, deps)].filter(
    (place) => readShellCall(place, deps.files, event) !== undefined,
  );
  return begun.length === 0 ? [home] : begun;
}

/** The repository whose status shows the problems of this event: that of its directory, else that of its first path. */
function findHome(event: AgentEvent, deps: ObserveDeps): Repository | undefined {
  for (const start of [event.cwd, ...("paths" in event ? event.paths : [])]) {
    const repository = start.startsWith("/") ? findRepository(start, deps) : undefined;
    if (repository?.workTree !== undefined) return repository;
  }
  return undefined;
}

function whereOf(event: AgentEvent): string {
  return "agent" in event ? `${event.agent.tool} ${event.kind}` : event.kind;
}

function groupByRepository(event: PathEvent, deps: ObserveDeps, problems: string[]): Iterable<PathGroup> {
  const groups = new Map<string, { repository: Repository; paths: { path: RepoPath; absolute: string }[] }>();
  for (const text of withLinkTargets(event.paths, deps)) {
    const located = locatePath(text, event.cwd, deps);
    if (located.kind === "refused") problems.push(`refused: ${located.why}`);
    if (located.kind !== "inside") continue;
    const group = groups.get(located.repository.gitDir) ?? { repository: located.repository, paths: [] };
    group.paths.push(located);
    groups.set(located.repository.gitDir, group);
  }
  return groups.values();
}

/** An edit of a symlink writes the file that it leads to: both are looked at. */
function withLinkTargets(paths: readonly string[], deps: ObserveDeps): Set<string> {
  const { files } = deps;
  const all = new Set(paths);
  for (const path of paths) {
    const isLink = path.startsWith("/") && files.statIfExists(path)?.kind === "symlink";
    const target = isLink ? files.realPathIfExists(path) : undefined;
    // a link that leads elsewhere is a file of this repository all the same: its target is nobody's business here
    if (target !== undefined && locatePath(target, dirname(path), deps).kind === "inside") all.add(target);
  }
  return all;
}

type SessionEvent = Exclude<
  AgentEvent,
  PathEvent | { readonly kind: "before-shell" | "after-shell" | "read-call" }
>;

/** True if HEAD is no longer where the journal's pending work began. */
function hasLeftEpoch(repository: Repository, deps: ObserveDeps): boolean {
  const last = listEpochs(repository, deps.files).at(-1);
  return (
    last !== undefined &&
    isOwned(last, deps.files) &&
    last.base !== readBaseCommit(repository, deps.files, deps.processes)
  );
}

function observeSession(event: SessionEvent, repository: Repository, deps: ObserveDeps): void {
  const at = deps.clock.nowMs();
  const { agent, cwd, transcriptPath } = event;
  const session = sessionKey(agent);
  const model = agent.model === "unknown" ? {} : { model: agent.model };
  let record: SessionRecord;
  if (event.kind === "session-start") {
    const optional = {
      ...(transcriptPath ? { transcriptPath } : {}),
      ...(event.source ? { source: event.source } : {}),
    };
    record = { kind: "session", at, tool: agent.tool, id: agent.id, model: agent.model, cwd, ...optional };
  } else if (event.kind === "prompt") record = { kind: "prompt", at, prompt: event.prompt, ...model };
  else record = { kind: event.kind, at, ...model };
  appendSessionRecord(repository, deps.files, { session, record });
  if (event.kind !== "session-end") return;
  for (const call of pruneAndListShellCalls(repository, deps)) {
    if (sessionKey(call.agent) === session) removeShellCall(repository, deps.files, call);
  }
}
