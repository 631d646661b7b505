import { join } from "node:path";
import { decodePath } from "../../base/path-text.ts";
import { isOid, type Oid, type RepoPath } from "../../git/ids.ts";
import { readCommittedSync, runGitSync } from "../../git/remote/sync.ts";
import type { Repository } from "../../git/repository.ts";
import { pruneAndListShellCalls, type ShellCall, writeShellCall } from "../../journal/calls/shell-calls.ts";
import { listEpochs } from "../../journal/layout.ts";
import { recordInJournal } from "../../journal/log/record-or-wait.ts";
import { isSameProcess } from "../../system/process/process-table.ts";
import { appendEditRecord, type ObserveDeps, shellCause } from "../edits/edit-cause.ts";
import { isUnchanged, markOf, type PathSnapshot, snapshotContent } from "../edits/path-snapshot.ts";
import { recordEdit } from "../edits/record-edit.ts";
import type { GitSync } from "./git-blobs.ts";
import { GitOrigins } from "./git-origins.ts";
import { keepPathStates } from "./keep-stashes.ts";

/** How far up the family of this process an agent is looked for. */
const maxAncestors = 32;
/** Commits of one shell call that are looked at. */
const maxCallCommits = 200;

/**
 * Called when a commit may have been made: if this process descends from an agent whose shell call is open (git runs our
 * hook inside the call), what the commit changed since the call began is the agent's. Of several agents around this
 * process the innermost made it.
 * @param isCommitHook true if git runs this right after it made the commit: one that no open call is an ancestor of was
 *   made by somebody else
 */
export function creditCommitInShell(
  repository: Repository,
  { head, isCommitHook }: { readonly head: Oid; readonly isCommitHook: boolean },
  deps: ObserveDeps,
): void {
  const ancestors = deps.processTable.ancestors(maxAncestors);
  const nearness = (call: ShellCall) =>
    ancestors.findIndex(
      (ancestor) => call.agentProcess !== undefined && isSameProcess(ancestor, call.agentProcess),
    );
  const open = pruneAndListShellCalls(repository, deps);
  const calls = open
    .filter((call) => call.base !== head && nearness(call) !== -1)
    .sort((a, b) => nearness(a) - nearness(b) || b.at - a.at);
  const [innermost] = calls;
  if (innermost !== undefined) creditShellCommits(repository, { call: innermost, head }, deps);
  const judge = (call: ShellCall, commits: readonly Oid[], base: ShellCall["base"]) =>
    writeShellCall(repository, deps.files, { ...call, base, judged: [...(call.judged ?? []), ...commits] });
  for (const call of calls)
    judge(call, [...(new GitOrigins(repository, call, deps).committedSince() ?? [])], head);
  if (!isCommitHook) return;
  for (const call of open) {
    if (call.agentProcess !== undefined && nearness(call) === -1) judge(call, [head], call.base);
  }
}

/**
 * Files that a shell call wrote and committed in one go were never seen uncommitted: what its commits changed since it
 * began is the agent's. Merges, and commits older than the call (pulled, cherry-picked, rebased), are nobody's. Answers
 * how many paths were credited.
 */
export function creditShellCommits(
  repository: Repository,
  { call, head }: { readonly call: ShellCall; readonly head: Oid },
  deps: ObserveDeps,
): number {
  // work recorded under a later HEAD already says more than the commits can
  if ((listEpochs(repository, deps.files).at(-1)?.base ?? call.base) !== call.base) return 0;
  const git = { repository, processes: deps.processes };
  const origins = new GitOrigins(repository, call, deps);
  let credited = 0;
  // what was there before the call is asked for as often as its commits take a path away and bring it back
  const commits = listOwnCommits(git, { call, head, made: origins.committedSince() });
  if (commits.length > 0 && call.judged === undefined)
    keepPathStates(repository, deps, { paths: call.dirty, like: head });
  for (const commit of commits) {
    const paths = listChangedPaths(git, commit);
    const contents = readCommittedSync(repository, deps.processes, { commit: commit.oid, paths });
    const baselines = readCommittedSync(repository, deps.processes, { commit: call.base, paths });
    const captures = new Map(paths.map((path) => [path, captureCommitted(contents.get(path), path)]));
    const gone = [...captures].flatMap(([path, { kind }]) => (kind === "absent" ? [path] : []));
    origins.prepare(captures, { more: commit.parents, gone });
    recordInJournal(deps, repository, call.base, (journal) => {
      for (const [path, after] of captures) {
        // the file on disk was looked at already, by the agent's edit tool
        if (isUnchanged(deps.files, absoluteOf(path), journal.head(path)?.mark)) continue;
        const baseline = snapshotContent(baselines.get(path) ?? null);
        const earlier = origins.earlierOf(path, after);
        const edit = { path, after, baseline, cause: shellCause(call), earlier };
        if (recordEdit(journal, edit) === "credited") credited += 1;
      }
    });
  }
  if (credited > 0) appendEditRecord(repository, deps, { ...call, evidence: "shell" });
  return credited;

  function absoluteOf(path: RepoPath): string {
    return join(repository.workTree ?? "", path);
  }

  function captureCommitted(content: Buffer | null | undefined, path: RepoPath): PathSnapshot {
    const stat = deps.files.statIfExists(absoluteOf(path));
    const mark = stat !== undefined && stat.sizeBytes === content?.length ? { mark: markOf(stat) } : {};
    return { ...snapshotContent(content ?? null, stat?.mode), ...mark };
  }
}

interface CommitLine {
  readonly oid: Oid;
  readonly parents: readonly string[];
  readonly authorSeconds: number;
  readonly committerSeconds: number;
}

/**
 * The commits that the call made itself, oldest first, on whatever branch: HEAD's reflog says what was committed here
 * meanwhile. What was switched to, pulled, reset to, rebased or picked was not. Where nothing is logged, the times of
 * author and committer have to say it.
 */
function listOwnCommits(
  git: GitSync,
  {
    call,
    head,
    made,
  }: { readonly call: ShellCall; readonly head: Oid; readonly made: ReadonlySet<Oid> | undefined },
): CommitLine[] {
  const judged = new Set(call.judged);
  const isOwn = ({ oid, parents }: CommitLine) => parents.length <= 1 && !judged.has(oid);
  if (made === undefined) {
    const range = [`-${maxCallCommits}`, head, ...(isOid(call.base) ? [`^${call.base}`] : [])];
    const commits = readCommitLines(git, ["--first-parent", ...range]).reverse();
    return commits.filter((commit) => isOwn(commit) && wasMadeIn(call, commit));
  }
  const fresh = [...made].filter((oid) => !judged.has(oid)).slice(-maxCallCommits);
  return fresh.length === 0 ? [] : readCommitLines(git, ["--no-walk=unsorted", ...fresh]).filter(isOwn);
}

function readCommitLines({ repository, processes }: GitSync, range: readonly string[]): CommitLine[] {
  const args = ["log", "--no-show-signature", "--format=%H%x00%P%x00%at%x00%ct", ...range];
  const text = runGitSync(repository, processes, args).stdout.toString("latin1");
  return text.split("\n").flatMap((line) => {
    const [oid = "", parents = "", author, committer] = line.split("\0");
    if (!isOid(oid)) return [];
    const seconds = { authorSeconds: Number(author), committerSeconds: Number(committer) };
    return [{ oid, parents: parents.split(" ").filter(Boolean), ...seconds }];
  });
}

/** A rebased or picked commit keeps the author's date of the original. */
function wasMadeIn(call: ShellCall, commit: CommitLine): boolean {
  const startSeconds = Math.floor(call.at / 1000);
  return commit.authorSeconds >= startSeconds && commit.committerSeconds >= startSeconds;
}

function listChangedPaths({ repository, processes }: GitSync, commit: CommitLine): RepoPath[] {
  const args = [
    "diff-tree",
    "-r",
    "-z",
    "--root",
    "--no-commit-id",
    "--name-only",
    "--no-renames",
    commit.oid,
  ];
  const names = decodePath(runGitSync(repository, processes, args).stdout);
  return names.split("\0").filter((path) => path !== "") as RepoPath[];
}
