import { KeyframeError } from "../../base/errors.ts";
import { borrowFetched } from "../../git/fetched-objects.ts";
import type { Git } from "../../git/git.ts";
import { isOid, type Oid } from "../../git/ids.ts";
import { resolveRevision } from "../../git/refs/refs.ts";
import { fetchRef } from "../../git/remote/fetch.ts";
import type { Remote } from "../../git/remote/remote.ts";
import type { Checkout } from "../../git/worktree/checkout.ts";
import { findCommitLinks, findOwnLinks, type LinkDeps } from "../query/commit-links.ts";
import { type LinkedCommit, readCommitsAs, readLinkedCommits } from "../query/linked-commits.ts";
import { listCheckpointPlaces } from "../query/read-checkpoints.ts";
import { type CheckpointId, isCheckpointId } from "../record/ids.ts";
import type { SyncContext } from "../remote/fetch/fetch-tips.ts";
import { openCheckpointStores } from "../stores/open-stores.ts";

/** What a word to resume means. */
export interface ResumeTarget {
  readonly checkpoints: readonly CheckpointId[];
  /** The commit that names them; undefined for a checkpoint that no commit here names. */
  readonly commit: LinkedCommit | undefined;
  /** Undefined: HEAD stays where it is. */
  readonly checkout: Checkout | undefined;
  /** Commits of the branch after that one which are not merges and name no checkpoint. */
  readonly newerCommits: number;
}

/**
 * Finds the branch, commit or checkpoint; a branch that is only at the remote is fetched.
 * @throws KeyframeError `not-found`, `never-recorded` where no commit in question names a checkpoint
 */
export async function findResumeTarget(
  context: SyncContext,
  remote: Remote | undefined,
  word: string,
): Promise<ResumeTarget> {
  const { git } = context;
  if (isCheckpointId(word)) return checkpointTarget(git, word);
  const isName = await isBranchName(git, word);
  if (isName && (await resolveRevision(git, `refs/heads/${word}`)) !== undefined) {
    const isCurrent = (await currentBranch(git)) === word;
    const checkout: Checkout | undefined = isCurrent ? undefined : { kind: "branch", name: word };
    return branchTarget(context, `refs/heads/${word}`, checkout);
  }
  const commit = await resolveRevision(git, `${word}^{commit}`);
  const tracking = remote?.configured && isName ? `refs/remotes/${remote.name}/${word}` : undefined;
  const tracked = tracking !== undefined && (await resolveRevision(git, tracking)) !== undefined;
  if (commit !== undefined && !tracked) return commitTarget(context, word, commit);
  const start = tracked ? tracking : await fetchBranch(context, remote, word);
  if (start === undefined) {
    throw new KeyframeError(
      "not-found",
      `no branch, commit or checkpoint is named ${JSON.stringify(word)}${remote === undefined ? "" : `, and no branch at ${remote.name}`}`,
      { hint: "see `keyframe list` and `git branch -a`" },
    );
  }
  const track = remote?.configured === true;
  return branchTarget(context, start, { kind: "new-branch", name: word, start, track });
}

async function checkpointTarget(git: Git, id: CheckpointId): Promise<ResumeTarget> {
  const linked = (await readLinkedCommits(git)).filter(({ checkpoints }) => checkpoints.includes(id));
  const [newest] = linked;
  let checkout: Checkout | undefined = newest === undefined ? undefined : { kind: "commit", oid: newest.oid };
  for (const { oid } of linked) {
    const held = await git.run(["merge-base", "--is-ancestor", oid, "HEAD"], { okCodes: [0, 1, 128] });
    if (held.code === 0) checkout = undefined;
  }
  return { checkpoints: [id], commit: newest, checkout, newerCommits: 0 };
}

async function commitTarget(context: SyncContext, word: string, commit: Oid): Promise<ResumeTarget> {
  const linked = await linkOf(context, commit);
  if (linked === undefined) throw unlinked(`commit ${word}`);
  const isHere = (await resolveRevision(context.git, "HEAD")) === commit;
  return {
    checkpoints: linked.checkpoints,
    commit: linked,
    checkout: isHere ? undefined : { kind: "commit", oid: commit },
    newerCommits: 0,
  };
}

/** How many commits of a branch are looked at that name no checkpoint. */
const maxUnnamed = 50;

async function branchTarget(
  context: SyncContext,
  ref: string,
  checkout: Checkout | undefined,
): Promise<ResumeTarget> {
  const { git } = context;
  const trunk = await defaultBranch(git);
  const own = trunk === undefined || trunk === ref ? [ref] : [ref, `^${trunk}`];
  const [named] = await readLinkedCommits(git, { revisions: own, limit: 1 });
  const linked = (await findUnnamed(context, own, named)) ?? named;
  if (linked === undefined) throw unlinked(`branch ${ref.replace(/^refs\/(?:heads|remotes)\//, "")}`);
  const newer = await git.text(["rev-list", "--count", "--no-merges", `${linked.oid}..${ref}`]);
  return { checkpoints: linked.checkpoints, commit: linked, checkout, newerCommits: Number(newer) };
}

/** The newest commit above the one that names a checkpoint which leads to one in another way. */
async function findUnnamed(
  context: SyncContext,
  revisions: readonly string[],
  named: LinkedCommit | undefined,
): Promise<LinkedCommit | undefined> {
  const above = named === undefined ? [] : [`^${named.oid}`];
  const args = ["rev-list", `--max-count=${maxUnnamed}`, "--no-merges", ...revisions, ...above];
  const { stdout } = await context.git.run(args, { okCodes: [0, 128] });
  const commits = stdout.toString("latin1").split("\n").filter(isOid);
  if (commits.length === 0) return undefined;
  const deps = await linkDeps(context);
  if (deps.places.size === 0) return undefined;
  for (const [at, commit] of commits.entries()) {
    const links = at === 0 ? await findCommitLinks(deps, commit) : await findOwnLinks(deps, commit);
    if (links !== undefined) return (await readCommitsAs(context.git, [commit], links.ids))[0];
  }
  return undefined;
}

/** Where a commit leads, by its message or in another way. */
async function linkOf(context: SyncContext, commit: Oid): Promise<LinkedCommit | undefined> {
  const [named] = await readLinkedCommits(context.git, { revisions: ["--no-walk", commit] });
  if (named !== undefined) return named;
  const links = await findCommitLinks(await linkDeps(context), commit);
  return links === undefined ? undefined : (await readCommitsAs(context.git, [commit], links.ids))[0];
}

async function linkDeps({ git, files }: SyncContext): Promise<LinkDeps> {
  const readable = borrowFetched(git, files);
  return { git: readable, files, places: await listCheckpointPlaces(openCheckpointStores(readable)) };
}

/** `HEAD`, `main~2` and the like are commits, whatever a remote calls its branches. */
async function isBranchName(git: Git, word: string): Promise<boolean> {
  if (word === "HEAD" || word === "@" || word.startsWith("-")) return false;
  const checked = await git.run(["check-ref-format", `refs/heads/${word}`], { okCodes: [0, 1, 128] });
  return checked.code === 0;
}

function unlinked(what: string): KeyframeError {
  return new KeyframeError(
    "never-recorded",
    `no checkpoint found on ${what}: no message names one, and neither owners of lines nor equal trees lead to one`,
    {
      hint: "`keyframe list` shows what was recorded here, `keyframe fetch` gets what others recorded",
    },
  );
}

/** The branch that others begin at: its conversations are not those of a branch made from it. */
async function defaultBranch(git: Git): Promise<string | undefined> {
  for (const ref of ["refs/remotes/origin/HEAD", "refs/heads/main", "refs/heads/master"]) {
    if ((await resolveRevision(git, ref)) === undefined) continue;
    const target = await git.run(["symbolic-ref", "--quiet", ref], { okCodes: [0, 1, 128] });
    const name = target.code === 0 ? target.stdout.toString("utf8").trim() : ref;
    const local = name.replace(/^refs\/remotes\/[^/]+\//, "refs/heads/");
    return (await resolveRevision(git, local)) === undefined ? name : local;
  }
  return undefined;
}

async function currentBranch(git: Git): Promise<string | undefined> {
  const result = await git.run(["symbolic-ref", "--quiet", "--short", "HEAD"], { okCodes: [0, 1, 128] });
  return result.code === 0 ? result.stdout.toString("utf8").trim() : undefined;
}

async function fetchBranch(
  context: SyncContext,
  remote: Remote | undefined,
  name: string,
): Promise<string | undefined> {
  const valid = await context.git.run(["check-ref-format", "--branch", name], { okCodes: [0, 1, 128] });
  if (remote === undefined || valid.code !== 0 || name.startsWith("-")) return undefined;
  context.note(`fetching branch ${name} from ${remote.name}`);
  const into = remote.configured
    ? `refs/remotes/${remote.name}/${name}`
    : `refs/keyframe/remotes/${remote.key}/heads/${name}`;
  const oid = await fetchRef(context, remote, { ref: `refs/heads/${name}`, into });
  return oid === undefined ? undefined : into;
}
