import { join } from "node:path";
import { isOid, type Oid, type RepoPath } from "../../git/ids.ts";
import { readCommittedSync, runGitSync } from "../../git/remote/sync.ts";
import type { Repository } from "../../git/repository.ts";
import { withJournal } from "../../journal/journal.ts";
import { listEpochs } from "../../journal/layout.ts";
import { listShellCalls, type ShellCall, writeShellCall } from "../../journal/shell-calls.ts";
import { isSameProcess } from "../../system/process/process-table.ts";
import { captureContent, isUnchanged, markOf } from "./capture.ts";
import { appendEditRecord, type ObserveDeps, shellCause } from "./edit-cause.ts";
import { recordEdit } from "./record-edit.ts";

/** How far up the family of this process an agent is looked for. */
const maxAncestors = 32;
/** Commits of one shell call that are looked at. */
const maxCallCommits = 200;

/**
 * Called when a commit was made: if this process descends from an agent whose shell call is open (git runs our hook
 * inside the call), what the commit changed since the call began is the agent's. Of several agents around this process
 * the innermost made it.
 */
export function creditCommitInShell(repository: Repository, head: Oid, deps: ObserveDeps): void {
  const ancestors = deps.processTable.ancestors(maxAncestors);
  const nearness = (call: ShellCall) =>
    ancestors.findIndex(
      (ancestor) => call.agentProcess !== undefined && isSameProcess(ancestor, call.agentProcess),
    );
  const calls = listShellCalls(repository, deps)
    .filter((call) => call.base !== head && nearness(call) !== -1)
    .sort((a, b) => nearness(a) - nearness(b) || b.at - a.at);
  const [innermost] = calls;
  if (innermost !== undefined) creditShellCommits(repository, { call: innermost, head }, deps);
  for (const call of calls) writeShellCall(repository, deps.files, { ...call, base: head });
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
  const changes = listOwnCommits(git, call, head).flatMap((commit) => {
    const paths = listChangedPaths(git, commit);
    const contents = readCommittedSync(repository, deps.processes, { commit: commit.oid, paths });
    const baselines = readCommittedSync(repository, deps.processes, { commit: call.base, paths });
    return paths.map((path) => ({
      path,
      content: contents.get(path) ?? null,
      baseline: baselines.get(path) ?? null,
    }));
  });
  if (changes.length === 0) return 0;
  let credited = 0;
  withJournal(deps, repository, call.base, (journal) => {
    for (const { path, content, baseline } of changes) {
      const stat = deps.files.statIfExists(join(repository.workTree ?? "", path));
      const known = journal.head(path);
      // the file on disk was looked at already, by the agent's edit tool
      if (known !== undefined && isUnchanged(deps.files, join(repository.workTree ?? "", path), known.mark))
        continue;
      const mark = stat !== undefined && stat.sizeBytes === content?.length ? { mark: markOf(stat) } : {};
      const after = { ...captureContent(content, stat?.mode), ...mark };
      const edit = { path, after, baseline: captureContent(baseline), cause: shellCause(call) };
      if (recordEdit(journal, edit) === "credited") credited += 1;
    }
  });
  if (credited > 0) appendEditRecord(repository, deps, { ...call, evidence: "shell" });
  return credited;
}

interface GitSync {
  readonly repository: Repository;
  readonly processes: ObserveDeps["processes"];
}

interface CommitLine {
  readonly oid: Oid;
  readonly parents: readonly string[];
  readonly authorSeconds: number;
  readonly committerSeconds: number;
}

/** The commits from the call's base to HEAD that were made while the call ran, oldest first. */
function listOwnCommits(git: GitSync, call: ShellCall, head: Oid): CommitLine[] {
  const base = isOid(call.base) ? readCommitLines(git, ["-1", call.base])[0] : undefined;
  const own: CommitLine[] = [];
  for (const commit of readCommitLines(git, [
    `-${maxCallCommits}`,
    head,
    ...(base ? [`^${base.oid}`] : []),
  ])) {
    if (commit.parents.length > 1) break;
    const isAmend = base !== undefined && commit.parents.join() === base.parents.join();
    if (isAmend || wasMadeIn(call, commit)) own.unshift(commit);
    if (isAmend) break;
  }
  return own;
}

function readCommitLines({ repository, processes }: GitSync, range: readonly string[]): CommitLine[] {
  const args = ["log", "--first-parent", "--no-show-signature", "--format=%H%x00%P%x00%at%x00%ct", ...range];
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
  const text = runGitSync(repository, processes, args).stdout.toString("utf8");
  return text.split("\0").filter((path) => path !== "" && !path.includes("\ufffd")) as RepoPath[];
}
