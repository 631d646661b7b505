import { join } from "node:path";
import type { AgentEvent } from "../../agents/agent-event.ts";
import { findAgentProcess } from "../../agents/agent-process.ts";
import { isOid, type RepoPath } from "../../git/ids.ts";
import { listDirtyPaths, readCommittedSync } from "../../git/remote/sync.ts";
import type { Repository } from "../../git/repository.ts";
import { readGitState } from "../../git/worktree/git-state.ts";
import { readBaseCommit } from "../../journal/base-commit.ts";
import {
  pruneAndListShellCalls,
  readShellCall,
  removeShellCall,
  type ShellCall,
  writeShellBeginning,
  writeShellCall,
} from "../../journal/calls/shell-calls.ts";
import { type UntrackedFile, UntrackedFiles } from "../../journal/calls/untracked-files.ts";
import type { Journal } from "../../journal/log/journal.ts";
import { recordInJournal } from "../../journal/log/record-or-wait.ts";
import type { StatMark } from "../../journal/path-state.ts";
import { appendEditRecord, findOnlyOpenCall, type ObserveDeps, shellCause } from "../edits/edit-cause.ts";
import { followMove } from "../edits/follow-move.ts";
import { MovedContent } from "../edits/moved-content.ts";
import { claimedCause, OpenEditClaims } from "../edits/open-edit-claims.ts";
import { isUnchanged, markOf, snapshotContent } from "../edits/path-snapshot.ts";
import { type EditCause, recordEdit, recordRename } from "../edits/record-edit.ts";
import { TreeReader } from "../edits/tree-reader.ts";
import { sessionKey } from "../note/keys.ts";
import { GitOrigins } from "./git-origins.ts";
import { keepPathStates, keepStashes } from "./keep-stashes.ts";
import { creditShellCommits } from "./shell-commits.ts";

interface ShellProgress {
  readonly deps: ObserveDeps;
  readonly outcome: { credited: number; seen: number; problems: string[]; wantsSettle: boolean };
}

type ShellStart = Extract<AgentEvent, { readonly kind: "before-shell" }>;
type ShellEnd = Extract<AgentEvent, { readonly kind: "after-shell" }>;

/** New files beyond this many do not get a head each before a shell call: their contents are kept together. */
const maxNewSnapshots = 300;
/** New files above this size are looked at but not read, bytes. */
const maxNewSnapshotBytes = 4 * 1024 * 1024;

/**
 * Looks at the work tree before a shell call: whatever differs from HEAD is brought into the journal, so that only what
 * changes from here on can be the call's.
 */
export function observeShellStart(
  event: ShellStart,
  repository: Repository,
  { deps, outcome }: ShellProgress,
): void {
  const { files } = deps;
  keepStashes(repository, deps);
  const base = readBaseCommit(repository, files, deps.processes);
  const paths = listDirtyPaths(repository, deps);
  const unread: Record<RepoPath, StatMark> = {};
  const editing: Record<RepoPath, StatMark> = {};
  const open = findOnlyOpenCall(repository, event, deps);
  const between = open === undefined ? { owner: null } : shellCause(open);
  const origins = new GitOrigins(repository, open, deps);
  const tree = new TreeReader(repository, deps);
  const claims = new OpenEditClaims(repository, event, deps);
  recordInJournal(deps, repository, base, (journal) => {
    // a path that was clean when the only open call began held then what its commit holds
    const dirtyThen = new Set(open?.dirty);
    const wasClean = paths.filter(
      (path) => open !== undefined && !dirtyThen.has(path) && journal.head(path) === undefined,
    );
    const committed = readCommittedSync(repository, deps.processes, {
      commit: open?.base ?? base,
      paths: wasClean,
    });
    let fresh = 0;
    const where = { repository, files };
    const kept = new UntrackedFiles(repository, files);
    const together: UntrackedFile[] = [];
    for (const path of paths) {
      const absolute = join(repository.workTree ?? "", path);
      const head = journal.head(path);
      if (head !== undefined && isUnchanged(files, absolute, head.mark)) continue;
      const stat = files.statIfExists(absolute);
      if (head === undefined && stat !== undefined) {
        const isKept = kept.has(path, markOf(stat));
        if (!isKept) fresh += 1;
        if (isKept || fresh > maxNewSnapshots || stat.sizeBytes > maxNewSnapshotBytes) {
          const mark = markOf(stat);
          unread[path] = mark;
          if (stat.sizeBytes <= maxNewSnapshotBytes) together.push({ path, absolute, mark });
          continue;
        }
      }
      outcome.seen += 1;
      const content = committed.get(path);
      const baseline = content === undefined ? {} : { baseline: snapshotContent(content) };
      const after = tree.capture(path, absolute);
      const claim = claims.claimOf(path, after);
      if (claim.kind === "own") {
        // by the edit, or by somebody else: only its end tells, which comes after this look
        if (after.mark !== undefined) editing[path] = after.mark;
        continue;
      }
      const seen = { path, after, earlier: origins.earlierOf(path, after) };
      const earlier = followMove(journal, where, seen);
      recordEdit(journal, { ...seen, cause: claimedCause(claim, between), ...baseline, earlier });
      if (claim.kind === "made") appendEditRecord(repository, deps, { ...claim.edit, evidence: "edit" });
    }
    const left = kept.keep(together).length;
    if (left > 0)
      outcome.problems.push(`${left} new files are too many to be kept: changes in them are nobody's`);
  });
  writeShellBeginning(repository, files, { call: event, state: readGitState(repository, files) });
  writeShellCall(repository, files, {
    toolUseId: event.toolUseId,
    toolName: event.toolName,
    agent: event.agent,
    ...(event.subagentId ? { subagentId: event.subagentId } : {}),
    at: deps.clock.nowMs(),
    base,
    dirty: paths,
    unread,
    ...(Object.keys(editing).length === 0 ? {} : { editing }),
    agentProcess: findAgentProcess(deps.processTable),
  });
}

/** Looks again after the call and credits what changed in between. */
export function observeShellEnd(
  event: ShellEnd,
  repository: Repository,
  { deps, outcome }: ShellProgress,
): void {
  const { files } = deps;
  const call = readShellCall(repository, files, event);
  if (call === undefined) {
    if (event.mayBeLate === true) return;
    outcome.problems.push(
      `the beginning of shell call ${event.toolUseId} was not seen: its changes are nobody's`,
    );
    return;
  }
  keepStashes(repository, deps);
  const base = readBaseCommit(repository, files, deps.processes);
  if (isOid(base)) {
    // commits that no hook of ours saw are looked at before anything else is recorded
    const credited = creditShellCommits(repository, { call, head: base }, deps);
    outcome.credited += credited;
    if (base !== call.base || credited > 0) outcome.wantsSettle = true;
  }
  const dirty = new Set(listDirtyPaths(repository, deps));
  const paths = new Set([...dirty, ...call.dirty]);
  const cause = causeOfShell(call, repository, { deps, outcome });
  let credited = 0;
  recordInJournal(deps, repository, base, (journal) => {
    const changed = [...paths].filter((path) => {
      const mark = journal.head(path)?.mark ?? call.unread[path];
      return !isUnchanged(files, join(repository.workTree ?? "", path), mark);
    });
    outcome.seen += changed.length;
    credited = creditChanges(journal, { changed, dirty, call, cause, event, repository, deps });
  });
  outcome.credited += credited;
  if (credited > 0) appendEditRecord(repository, deps, { ...event, evidence: "shell" });
  removeShellCall(repository, files, call);
}

interface ShellChanges {
  readonly changed: readonly RepoPath[];
  /** Paths that differ from HEAD now. */
  readonly dirty: ReadonlySet<RepoPath>;
  readonly call: ShellCall;
  readonly cause: EditCause;
  readonly event: ShellEnd;
  readonly repository: Repository;
  readonly deps: ObserveDeps;
}

function creditChanges(journal: Journal, changes: ShellChanges): number {
  const { changed, dirty, call, event, repository, deps } = changes;
  const { files } = deps;
  const unknown = changed.filter(
    (path) => journal.head(path) === undefined && call.unread[path] === undefined,
  );
  const committed = readCommittedSync(repository, deps.processes, { commit: call.base, paths: unknown });
  const tree = new TreeReader(repository, deps);
  const captures = new Map(changed.map((path) => [path, tree.capture(path)]));
  const origins = new GitOrigins(repository, call, deps);
  origins.prepare(captures, { isClean: (path) => !dirty.has(path) });
  if (origins.isGitChanged && isOid(call.base)) {
    // git took it away, into a stash for one that is popped elsewhere before anybody looks again
    const dirtyBefore = new Set(call.dirty);
    const taken = changed.filter((path) => dirtyBefore.has(path) && !dirty.has(path));
    keepPathStates(repository, deps, { paths: taken, like: call.base });
  }
  const kept = new UntrackedFiles(repository, files);
  const keptBefore = (path: RepoPath): Buffer | undefined => {
    const mark = call.unread[path];
    const isAsked = mark !== undefined && journal.head(path) === undefined;
    const bytes = isAsked ? kept.content(path, mark) : undefined;
    return bytes === undefined ? undefined : tree.asCommitted(path, bytes);
  };
  const alsoThere = Object.keys(call.unread).length === 0 ? [] : kept.digests();
  const claims = new OpenEditClaims(repository, event, deps);
  const moved = new MovedContent(journal, { captures, committed, dirtyBefore: call.dirty, alsoThere });
  let credited = 0;
  for (const [path, after] of captures) {
    const content = committed.has(path) ? committed.get(path) : keptBefore(path);
    if (after.kind === "file" && content === null && journal.head(path) === undefined) {
      const from = moved.twinOf(after);
      if (from !== undefined) {
        // the same digest: the file's content is what the twin held
        if (from !== "committed")
          recordRename(journal, { from, to: path }, { state: from.current, content: after.content });
        else recordEdit(journal, { path, after, cause: { owner: null }, baseline: snapshotContent(null) });
      }
    }
    const baseline = content === undefined ? undefined : snapshotContent(content);
    // git takes files away too: one that no commit here has, and none misses, was not removed by the call
    const isTaken = after.kind === "absent" && !dirty.has(path) && origins.isGitChanged;
    const isLater = after.mark !== undefined && after.mark.ctimeMs > (event.endedByMs ?? Infinity);
    const claim = claims.claimOf(path, after);
    const wasEdited = claim.kind === "own" && call.editing?.[path] !== undefined;
    if (wasEdited && isUnchanged(files, join(repository.workTree ?? "", path), call.editing?.[path]))
      continue;
    if (claim.kind === "made") appendEditRecord(repository, deps, { ...claim.edit, evidence: "edit" });
    const result = recordEdit(journal, {
      path,
      after,
      cause: claimedCause(claim, isTaken || isLater || wasEdited ? { owner: null } : changes.cause),
      ...(baseline ? { baseline } : {}),
      earlier: moved.add(path, after, origins.earlierOf(path, after)),
    });
    if (result === "credited") credited += 1;
  }
  return credited;
}

/** With shell calls of two sessions open at once, nobody can say whose a change was. */
function causeOfShell(call: ShellCall, repository: Repository, { deps, outcome }: ShellProgress): EditCause {
  const session = sessionKey(call.agent);
  const rivals = pruneAndListShellCalls(repository, deps).filter(
    (other) => sessionKey(other.agent) !== session,
  );
  if (rivals.length === 0) return shellCause(call);
  outcome.problems.push("shell calls of two sessions overlapped: what changed meanwhile is nobody's");
  return { owner: null };
}
