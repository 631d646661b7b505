import { type AgentEvent, type Buffers, unnamedCall } from "../../agents/agent-event.ts";
import type { RepoPath } from "../../git/ids.ts";
import { readCommittedSync } from "../../git/remote/sync.ts";
import type { Repository } from "../../git/repository.ts";
import { readBaseCommit } from "../../journal/base-commit.ts";
import type { Journal } from "../../journal/log/journal.ts";
import { recordInJournal } from "../../journal/log/record-or-wait.ts";
import type { PathHead } from "../../journal/path-state.ts";
import { authorIdentity } from "../edits/author-identity.ts";
import {
  appendEditRecord,
  editCause,
  findOnlyOpenCall,
  type ObserveDeps,
  shellCause,
} from "../edits/edit-cause.ts";
import { followMove } from "../edits/follow-move.ts";
import { isNewPath, movedByTool } from "../edits/moved-by-tool.ts";
import { claimedCause, OpenEditClaims } from "../edits/open-edit-claims.ts";
import { type PathSnapshot, snapshotContent } from "../edits/path-snapshot.ts";
import {
  type EarlierContent,
  type EditCause,
  recordBefore,
  recordBegin,
  recordEdit,
  recordLook,
} from "../edits/record-edit.ts";
import { TreeReader } from "../edits/tree-reader.ts";
import { humanKey } from "../note/keys.ts";
import { GitOrigins } from "../shell/git-origins.ts";
import { recordEndedEdit } from "./end-edit.ts";

export type PathEvent = Extract<AgentEvent, { readonly paths: readonly string[] }>;

export interface PathGroup {
  readonly repository: Repository;
  readonly paths: readonly { readonly path: RepoPath; readonly absolute: string }[];
}

interface Progress {
  readonly deps: ObserveDeps;
  readonly outcome: { credited: number; seen: number; problems: string[] };
}

interface Look {
  readonly journal: Journal;
  readonly event: PathEvent;
  readonly repository: Repository;
  readonly deps: ObserveDeps;
  readonly claims: OpenEditClaims;
  /** Who is credited with what the event tells of. */
  readonly cause: EditCause;
  /** Who is credited with what changed before it. */
  readonly between: EditCause;
  readonly baselines: ReadonlyMap<RepoPath, PathSnapshot>;
  readonly moved: EarlierContent | undefined;
  readonly earlierOf: (path: RepoPath, after: PathSnapshot) => EarlierContent;
}

/** Takes what an event says of files of one repository into its journal. */
export function observePaths(
  event: PathEvent,
  { repository, paths }: PathGroup,
  { deps, outcome }: Progress,
): void {
  const { files } = deps;
  const base = readBaseCommit(repository, files, deps.processes);
  const cause = causeOf(event, repository, deps);
  const isBefore = event.kind === "before-edit" || event.kind === "before-human-edit";
  const asking = event.kind === "before-edit" ? event : undefined;
  const open = isBefore ? findOnlyOpenCall(repository, asking, deps) : undefined;
  const between = open === undefined ? { owner: null } : shellCause(open);
  const origins = new GitOrigins(repository, open, deps);
  const claims = new OpenEditClaims(repository, "agent" in event ? event : undefined, deps);
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
    const look = { journal, event, repository, deps, claims, cause, between, baselines, moved, earlierOf };
    for (const { path, after } of captures) {
      outcome.seen += 1;
      const result = observePath(look, path, after);
      if (result === "credited") outcome.credited += 1;
      if (result === "uncredited" && cause.owner !== null)
        outcome.problems.push(`${path}: its state before the edit is not known, so the change is nobody's`);
    }
  });
  if (event.kind === "after-edit" && cause.owner !== null && outcome.credited > 0)
    appendEditRecord(repository, deps, { ...event, evidence: "edit" });
}

type Seen = "credited" | "uncredited" | "unchanged";

function observePath(look: Look, path: RepoPath, after: PathSnapshot): Seen {
  const { journal, event, earlierOf, deps } = look;
  switch (event.kind) {
    case "before-edit": {
      const cause = causeBetween(look, path, after);
      recordBegin(journal, {
        path,
        after,
        cause,
        toolUseId: event.toolUseId,
        earlier: earlierOf(path, after),
      });
      return "unchanged";
    }
    case "after-edit":
      return endEdit(look, event, { path, after });
    case "before-human-edit":
      // an editor reports the agent's own write as a save of its buffer: until the call ends it says nothing
      if (isUnderEdit(journal.head(path), deps)) return "unchanged";
      recordBefore(journal, { path, after, cause: look.between, earlier: earlierOf(path, after) });
      return "unchanged";
    case "known-human-edit":
      return isUnderEdit(journal.head(path), deps) ? "unchanged" : recordSeen(look, path, after);
    case "untracked-edit": {
      // the next report of this path is compared with this look, also where nothing differed from the commit yet
      earlierOf(path, after);
      recordLook(journal, path, after);
      const seen = recordSeen(look, path, after);
      if (event.announces !== undefined)
        journal.record({ path, kind: "begin", owner: null, toolUseId: event.announces });
      return seen;
    }
  }
}

/** A save or a look may find what was there before. */
function recordSeen(
  { journal, cause, baselines, earlierOf }: Look,
  path: RepoPath,
  after: PathSnapshot,
): Seen {
  const baseline = baselines.get(path);
  return recordEdit(journal, {
    path,
    after,
    cause,
    ...(baseline ? { baseline } : {}),
    earlier: earlierOf(path, after),
  });
}

/** Another call's edit may have landed before its own hook says so. */
function causeBetween(
  { journal, repository, deps, claims, between }: Look,
  path: RepoPath,
  after: PathSnapshot,
): EditCause {
  if (journal.head(path)?.current.digest === after.digest) return between;
  const claim = claims.claimOf(path, after);
  if (claim.kind === "made") appendEditRecord(repository, deps, { ...claim.edit, evidence: "edit" });
  return claimedCause(claim, between);
}

function endEdit(
  { journal, repository, deps, claims, cause, baselines, moved }: Look,
  event: Extract<PathEvent, { kind: "after-edit" }>,
  { path, after }: { readonly path: RepoPath; readonly after: PathSnapshot },
): Seen {
  const baseline = baselines.get(path);
  // an edit tool writes its text itself
  const isMoved = moved !== undefined && isNewPath(journal, path, after);
  const ended = recordEndedEdit(journal, event, {
    path,
    after,
    cause,
    claims,
    ...(baseline ? { baseline } : {}),
    ...(isMoved ? { earlier: moved } : {}),
  });
  if (ended.madeBy !== undefined) appendEditRecord(repository, deps, { ...ended.madeBy, evidence: "edit" });
  return ended.result;
}

/** An edit that was announced and never told of was not made: after this long a save is a person's again. */
const maxAnnouncedMs = 5 * 60_000;

function isUnderEdit(head: PathHead | undefined, { clock }: ObserveDeps): boolean {
  const isRecent = (at: number) => clock.nowMs() - at < maxAnnouncedMs;
  return (head?.begun ?? []).some(({ toolUseId, at }) => toolUseId !== unnamedCall || isRecent(at));
}

function causeOf(event: PathEvent, repository: Repository, deps: ObserveDeps): EditCause {
  if (event.kind === "after-edit") return { ...editCause(event), toolUseId: event.toolUseId };
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
