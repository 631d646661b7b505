import { dirname } from "node:path";
import { type AgentEvent, type Buffers, unnamedCall } from "../../agents/agent-event.ts";
import { errorText } from "../../base/errors.ts";
import type { RepoPath } from "../../git/ids.ts";
import { readCommittedSync } from "../../git/remote/sync.ts";
import { findRepository, type Repository } from "../../git/repository.ts";
import { readBaseCommit } from "../../journal/base-commit.ts";
import { listShellCalls, readShellCall, removeShellCall } from "../../journal/calls/shell-calls.ts";
import { isOwned, listEpochs } from "../../journal/layout.ts";
import type { Journal } from "../../journal/log/journal.ts";
import { recordInJournal } from "../../journal/log/record-or-wait.ts";
import { appendSessionRecord, type SessionRecord } from "../../journal/log/session-log.ts";
import type { PathHead } from "../../journal/path-state.ts";
import { recordProblem } from "../../state/problems.ts";
import { authorIdentity } from "../edits/author-identity.ts";
import { appendEditRecord, findOnlyOpenCall, type ObserveDeps, shellCause } from "../edits/edit-cause.ts";
import { followMove } from "../edits/follow-move.ts";
import { locatePath } from "../edits/locate-path.ts";
import { isNewPath, movedByTool } from "../edits/moved-by-tool.ts";
import { type PathSnapshot, snapshotContent } from "../edits/path-snapshot.ts";
import { type EditCause, recordBefore, recordBegin, recordEdit, recordLook } from "../edits/record-edit.ts";
import { TreeReader } from "../edits/tree-reader.ts";
import { agentLineKey, humanKey, sessionKey, traceOfToolCall } from "../note/keys.ts";
import { GitOrigins } from "../shell/git-origins.ts";
import { observeShellEnd, observeShellStart } from "../shell/observe-shell.ts";
import { findAllShellPlaces, findShellPlaces } from "../shell/shell-places.ts";

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
      for (const group of groupByRepository(event, deps, outcome.problems)) {
        guarded(() => observePaths(event, group, { deps, outcome }));
      }
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

type PathEvent = Extract<AgentEvent, { readonly paths: readonly string[] }>;

interface PathGroup {
  readonly repository: Repository;
  readonly paths: readonly { readonly path: RepoPath; readonly absolute: string }[];
}

/** The repository whose status shows the problems of this event: that of its folder, else that of its first path. */
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

interface Progress {
  readonly deps: ObserveDeps;
  readonly outcome: { credited: number; seen: number; problems: string[] };
}

function observePaths(event: PathEvent, { repository, paths }: PathGroup, { deps, outcome }: Progress): void {
  const { files } = deps;
  const base = readBaseCommit(repository, files, deps.processes);
  const cause = causeOf(event, repository, deps);
  const isBefore = event.kind === "before-edit" || event.kind === "before-human-edit";
  const asking = event.kind === "before-edit" ? event.agent : undefined;
  const open = isBefore ? findOnlyOpenCall(repository, asking, deps) : undefined;
  const between = open === undefined ? { owner: null } : shellCause(open);
  const origins = new GitOrigins(repository, open, deps);
  const tree = new TreeReader(repository, deps);
  const captures = paths.map(({ path, absolute }) => ({
    path,
    absolute,
    after: captureOf(tree, { path, absolute }, event.buffers, deps),
  }));
  recordInJournal(deps, repository, base, (journal) => {
    const earlierOf = (path: RepoPath, after: PathSnapshot) =>
      followMove(journal, { repository, files }, { path, after, earlier: origins.earlierOf(path, after) });
    const baselines = readBaselines(event, { journal, repository, captures, deps });
    const moved = event.kind === "after-edit" ? movedByTool(journal, captures) : undefined;
    for (const { path, after } of captures) {
      outcome.seen += 1;
      if (event.kind === "before-edit") {
        recordBegin(journal, {
          path,
          after,
          cause: between,
          toolUseId: event.toolUseId,
          earlier: earlierOf(path, after),
        });
        continue;
      }
      // an editor reports the agent's own write as a save of its buffer: until the call ends it says nothing
      const isPersons = event.kind === "known-human-edit" || event.kind === "before-human-edit";
      if (isPersons && isUnderEdit(journal.head(path), deps)) continue;
      if (event.kind === "before-human-edit") {
        recordBefore(journal, { path, after, cause: between, earlier: earlierOf(path, after) });
        continue;
      }
      // the next report of this path is compared with this look, also where nothing differed from the commit yet
      if (event.kind === "untracked-edit") {
        earlierOf(path, after);
        recordLook(journal, path, after);
      }
      const baseline = baselines.get(path);
      // an edit tool writes its text itself; a save or a look may find what was there before
      const isMoved = moved !== undefined && isNewPath(journal, path, after);
      const byTool = isMoved ? { earlier: moved } : {};
      const earlier = event.kind === "after-edit" ? byTool : { earlier: earlierOf(path, after) };
      const left = event.kind === "after-edit" ? leftByCall(journal, path, { event, after }) : undefined;
      const result = recordEdit(journal, {
        path,
        after: left ?? after,
        cause,
        ...(baseline ? { baseline } : {}),
        ...earlier,
      });
      if (event.kind === "untracked-edit" && event.announces !== undefined)
        journal.record({ path, kind: "begin", owner: null, toolUseId: event.announces });
      // whoever wrote the rest did so between the call and its hook
      if (left !== undefined) recordEdit(journal, { path, after, cause: { owner: null } });
      if (result === "credited") outcome.credited += 1;
      if (result === "uncredited" && cause.owner !== null) {
        outcome.problems.push(`${path}: its state before the edit is not known, so the change is nobody's`);
      }
    }
  });
  if (event.kind === "after-edit" && cause.owner !== null && outcome.credited > 0) {
    appendEditRecord(repository, deps, { ...event, evidence: "edit" });
  }
}

/** An edit that was announced and never told of was not made: after this long a save is a person's again. */
const maxAnnouncedMs = 5 * 60_000;

function isUnderEdit(head: PathHead | undefined, { clock }: ObserveDeps): boolean {
  const isRecent = (at: number) => clock.nowMs() - at < maxAnnouncedMs;
  return (head?.begun ?? []).some(({ toolUseId, at }) => toolUseId !== unnamedCall || isRecent(at));
}

/**
 * What an open call was to leave, where the file holds something else by the time its hook runs: agents do not all wait for
 * that hook. Undefined where the file holds just that, or where it cannot be told.
 */
function leftByCall(
  journal: Journal,
  path: RepoPath,
  {
    event,
    after,
  }: { readonly event: Extract<PathEvent, { kind: "after-edit" }>; readonly after: PathSnapshot },
): PathSnapshot | undefined {
  const head = journal.head(path);
  const isOnlyOpen = head?.begun.length === 1 && head.begun[0]?.toolUseId === event.toolUseId;
  if (event.expected === undefined || !isOnlyOpen || after.kind !== "file") return undefined;
  const isText = head.current.kind === "file" && head.current.unlined === undefined;
  const before = isText ? journal.content(head, head.current)?.toString("utf8") : undefined;
  const text = event.expected(before);
  const left = text === undefined ? undefined : snapshotContent(Buffer.from(text), after.mode);
  return left === undefined || left.digest === after.digest ? undefined : left;
}

function causeOf(event: PathEvent, repository: Repository, deps: ObserveDeps): EditCause {
  if (event.kind === "after-edit") {
    const { agent, toolUseId, subagentId } = event;
    return {
      owner: agentLineKey(sessionKey(agent), traceOfToolCall(agent, toolUseId)),
      agent,
      evidence: "edit",
      toolUseId,
      ...(subagentId ? { subagentId } : {}),
    };
  }
  if (event.kind === "known-human-edit") {
    const human = authorIdentity(repository, deps.processes);
    return { owner: humanKey(human), human, evidence: "save" };
  }
  return { owner: null };
}

function captureOf(
  tree: TreeReader,
  { path, absolute }: PathGroup["paths"][number],
  buffers: Buffers | undefined,
  { files }: ObserveDeps,
): PathSnapshot {
  const buffer = buffers?.get(absolute);
  if (buffer === undefined) return tree.capture(path, absolute);
  return snapshotContent(Buffer.from(buffer), files.statIfExists(absolute)?.mode ?? 0o644);
}

/** Where the journal knows nothing of a path: what the agent says it held, or what the commit holds. */
function readBaselines(
  event: PathEvent,
  where: {
    readonly journal: Journal;
    readonly repository: Repository;
    readonly captures: readonly { readonly path: RepoPath; readonly absolute: string }[];
    readonly deps: ObserveDeps;
  },
): Map<RepoPath, PathSnapshot> {
  const baselines = new Map<RepoPath, PathSnapshot>();
  const asked: RepoPath[] = [];
  for (const { path, absolute } of where.captures) {
    if (where.journal.head(path) !== undefined) continue;
    const original = event.kind === "after-edit" ? event.originals?.get(absolute) : undefined;
    if (original !== undefined)
      baselines.set(path, snapshotContent(original === null ? null : Buffer.from(original)));
    else if (event.kind !== "after-edit" || event.baseline === "commit") asked.push(path);
  }
  if (event.kind === "before-edit" || event.kind === "before-human-edit") return baselines;
  const { repository, deps, journal } = where;
  const committed = readCommittedSync(repository, deps.processes, {
    commit: journal.epoch.base,
    paths: asked,
  });
  for (const path of asked) baselines.set(path, snapshotContent(committed.get(path) ?? null));
  return baselines;
}

type SessionEvent = Exclude<AgentEvent, PathEvent | { readonly kind: "before-shell" | "after-shell" }>;

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
  let record: SessionRecord;
  if (event.kind === "session-start") {
    const optional = {
      ...(transcriptPath ? { transcriptPath } : {}),
      ...(event.source ? { source: event.source } : {}),
    };
    record = { kind: "session", at, tool: agent.tool, id: agent.id, model: agent.model, cwd, ...optional };
  } else if (event.kind === "prompt") record = { kind: "prompt", at, prompt: event.prompt };
  else record = { kind: event.kind, at };
  appendSessionRecord(repository, deps.files, { session, record });
  if (event.kind !== "session-end") return;
  for (const call of listShellCalls(repository, deps)) {
    if (sessionKey(call.agent) === session) removeShellCall(repository, deps.files, call);
  }
}
