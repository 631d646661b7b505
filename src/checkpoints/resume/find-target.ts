import { KeyframeError } from "../../base/errors.ts";
import type { Git } from "../../git/git.ts";
import { resolveRevision } from "../../git/refs/refs.ts";
import { fetchRef } from "../../git/remote/fetch.ts";
import type { Remote } from "../../git/remote/remote.ts";
import type { Checkout } from "../../git/worktree/checkout.ts";
import { type LinkedCommit, readLinkedCommits } from "../query/links.ts";
import { type CheckpointId, isCheckpointId } from "../record/ids.ts";
import type { SyncContext } from "../remote/fetch-tips.ts";

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
  if (await resolveRevision(git, `refs/heads/${word}`)) {
    const isCurrent = (await currentBranch(git)) === word;
    return branchTarget(git, `refs/heads/${word}`, isCurrent ? undefined : { kind: "branch", name: word });
  }
  const commit = await resolveRevision(git, `${word}^{commit}`);
  const tracking = remote?.configured ? `refs/remotes/${remote.name}/${word}` : undefined;
  const tracked = tracking !== undefined && (await resolveRevision(git, tracking)) !== undefined;
  if (commit !== undefined && !tracked) {
    const [linked] = await readLinkedCommits(git, { revisions: ["--no-walk", commit] });
    if (linked === undefined) throw unlinked(`commit ${word}`);
    const isHere = (await resolveRevision(git, "HEAD")) === commit;
    return {
      checkpoints: linked.checkpoints,
      commit: linked,
      checkout: isHere ? undefined : { kind: "commit", oid: commit },
      newerCommits: 0,
    };
  }
  const start = tracked ? tracking : await fetchBranch(context, remote, word);
  if (start === undefined) {
    throw new KeyframeError(
      "not-found",
      `${word} is no branch, commit or checkpoint here${remote === undefined ? "" : ` and no branch at ${remote.name}`}`,
      { hint: "see `keyframe list` and `git branch -a`" },
    );
  }
  const track = remote?.configured === true;
  return branchTarget(git, start, { kind: "new-branch", name: word, start, track });
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

async function branchTarget(git: Git, ref: string, checkout: Checkout | undefined): Promise<ResumeTarget> {
  const trunk = await defaultBranch(git);
  const own = trunk === undefined || trunk === ref ? [ref] : [ref, `^${trunk}`];
  const [linked] = await readLinkedCommits(git, { revisions: own, limit: 1 });
  if (linked === undefined) throw unlinked(`branch ${ref.replace(/^refs\/(?:heads|remotes)\//, "")}`);
  const newer = await git.text(["rev-list", "--count", "--no-merges", `${linked.oid}..${ref}`]);
  return { checkpoints: linked.checkpoints, commit: linked, checkout, newerCommits: Number(newer) };
}

function unlinked(what: string): KeyframeError {
  return new KeyframeError(
    "never-recorded",
    `no checkpoint found on ${what}: none of its commits names one`,
    {
      hint: "nothing was recorded while it was made; `keyframe list` shows what was",
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
