import { join } from "node:path";
import { KeyframeError } from "../../base/errors.ts";
import { shellQuote } from "../../base/text/shell-words.ts";
import type { Git } from "../../git/git.ts";
import { isOid, type Oid } from "../../git/ids.ts";
import { resolveRevision } from "../../git/refs/refs.ts";
import { fault } from "../../system/fault.ts";
import type { Files } from "../../system/files/files.ts";
import { type RewindPoint, snapshotOf } from "./rewind-points.ts";
import type { HeadRecord } from "./rewind-record.ts";

/** HEAD goes to another commit, with its branch and the index. */
export interface BranchMove {
  /** The full name of HEAD's branch; undefined where HEAD is detached. */
  readonly ref: string | undefined;
  readonly from: Oid;
  readonly to: Oid;
  /** What the branch no longer holds then, newest first. */
  readonly leaves: readonly LeavingCommit[];
  /** How many commits the branch holds then that it does not hold now. */
  readonly joins: number;
}

export interface LeavingCommit {
  readonly commit: Oid;
  readonly subject: string;
  /** True if a branch of a remote is known to hold it. */
  readonly pushed: boolean;
}

/** What git leaves in its directory while it waits for the user to go on. */
const unfinished: readonly (readonly [file: string, operation: string])[] = [
  ["MERGE_HEAD", "merge"],
  ["CHERRY_PICK_HEAD", "cherry-pick"],
  ["REVERT_HEAD", "revert"],
  ["rebase-merge", "rebase"],
  ["rebase-apply", "rebase"],
  ["BISECT_LOG", "bisect"],
];

/** How HEAD comes to the commit of a point. @throws KeyframeError `refused`, `not-here` */
export async function planHeadMove(git: Git, files: Files, point: RewindPoint): Promise<BranchMove> {
  await mustBeSettled(git, files);
  const { ref, oid } = await readHead(git);
  mustBeOnBranchOf(point, ref);
  const to = await commitOf(git, point);
  if (oid === undefined) {
    throw new KeyframeError("refused", "HEAD has no commit to go back from", {
      hint: "go back without --reset",
    });
  }
  return describeMove(git, { ref, from: oid, to });
}

/** How HEAD comes back to where it was before a rewind. @throws KeyframeError `refused` */
export async function planHeadReturn(
  git: Git,
  files: Files,
  request: { readonly head: HeadRecord; readonly force: boolean },
): Promise<BranchMove> {
  const { head } = request;
  await mustBeSettled(git, files);
  const { ref, oid } = await readHead(git);
  if ((ref ?? null) !== head.ref) {
    const was = head.ref === null ? "detached" : `on ${shortRef(head.ref)}`;
    throw new KeyframeError("refused", `HEAD was ${was} when it was rewound, and is elsewhere now`, {
      hint: `go back there first: \`git ${head.ref === null ? `checkout --detach ${head.to}` : `switch ${shellQuote(shortRef(head.ref))}`}\``,
    });
  }
  const isAsLeft = oid === head.to || oid === head.from;
  if (oid === undefined || (!isAsLeft && !request.force)) {
    throw new KeyframeError("refused", `${nameOfHead(ref)} has moved since the rewind`, {
      hint: "see what would leave it with `keyframe rewind --undo --dry-run --force`; --force takes the rewind back all the same",
    });
  }
  return describeMove(git, { ref, from: oid, to: head.from });
}

/** @throws KeyframeError `refused` where others may have what would leave the branch */
export function mustNotLeavePushed({ ref, leaves }: BranchMove): void {
  const pushed = leaves.filter((each) => each.pushed);
  const [first] = pushed;
  if (first === undefined) return;
  const which = `${pushed.length} of the ${leaves.length} commits that would leave ${nameOfHead(ref)}`;
  throw new KeyframeError(
    "refused",
    `a remote holds ${which} (${first.commit.slice(0, 12)} is the newest of them)`,
    { hint: "--force goes back all the same; the remote keeps them until somebody pushes with force" },
  );
}

/**
 * Moves HEAD and its branch as `git reset` does, so that the reflog tells it in git's own words and `ORIG_HEAD` names
 * where it was. The index becomes the commit's, or that of `index`; files are not touched.
 */
export async function applyHeadMove(git: Git, { to }: BranchMove, index?: Oid): Promise<void> {
  await git.run(["reset", "--quiet", "--mixed", to, "--"]);
  fault("rewind:after-reset");
  if (index !== undefined) await git.run(["read-tree", index]);
  await git.run(["update-index", "-q", "--refresh"], { okCodes: [0, 1] });
}

async function mustBeSettled(git: Git, files: Files): Promise<void> {
  const { gitDir } = git.repository;
  const waiting = unfinished.find(([file]) => files.statIfExists(join(gitDir, file)) !== undefined);
  if (waiting !== undefined) {
    throw new KeyframeError("refused", `a ${waiting[1]} is under way`, {
      hint: `finish it or give it up first: \`git ${waiting[1]} ${waiting[1] === "bisect" ? "reset" : "--abort"}\``,
    });
  }
  if ((await git.text(["ls-files", "--unmerged"])) === "") return;
  throw new KeyframeError("refused", "the index holds conflicts", { hint: "resolve them first" });
}

async function readHead(
  git: Git,
): Promise<{ readonly ref: string | undefined; readonly oid: Oid | undefined }> {
  const ref = await git.text(["symbolic-ref", "--quiet", "HEAD"], { okCodes: [0, 1] });
  return { ref: ref === "" ? undefined : ref, oid: await resolveRevision(git, "HEAD^{commit}") };
}

/** A moment of another branch must not take this one along. */
function mustBeOnBranchOf(point: RewindPoint, ref: string | undefined): void {
  const branch = snapshotOf(point)?.branch;
  if (branch === undefined || branch === ref) return;
  throw new KeyframeError(
    "refused",
    `${point.id} is a moment of branch ${shortRef(branch)}, not of ${nameOfHead(ref)}`,
    {
      hint: `\`git switch ${shellQuote(shortRef(branch))}\` first, or go back without --reset`,
    },
  );
}

async function commitOf(git: Git, point: RewindPoint): Promise<Oid> {
  const base =
    point.kind === "checkpoint" || point.kind === "commit" ? point.commit : (snapshotOf(point)?.base ?? "");
  if (!isOid(base)) {
    throw new KeyframeError("refused", `${point.id} is a moment from before the first commit`, {
      hint: "go back without --reset",
    });
  }
  const commit = await resolveRevision(git, `${base}^{commit}`);
  if (commit !== undefined) return commit;
  throw new KeyframeError(
    "not-here",
    `commit ${base.slice(0, 12)}, which HEAD was on, is not on this machine`,
    {
      hint: "fetch it, or go back without --reset",
    },
  );
}

async function describeMove(git: Git, move: Pick<BranchMove, "ref" | "from" | "to">): Promise<BranchMove> {
  const range = [move.from, `^${move.to}`];
  const [listed, unpushed, joins] = await Promise.all([
    git.text(["log", "-z", "--no-show-signature", "--format=%H %s", ...range]),
    git.text(["rev-list", ...range, "--not", "--remotes"]),
    git.text(["rev-list", "--count", move.to, `^${move.from}`]),
  ]);
  const ours = new Set(unpushed.split("\n"));
  const leaves = listed.split("\0").flatMap((line) => {
    const [, commit = "", subject = ""] = /^([0-9a-f]+) (.*)$/.exec(line) ?? [];
    return isOid(commit) ? [{ commit, subject, pushed: !ours.has(commit) }] : [];
  });
  return { ...move, leaves, joins: Number(joins) };
}

function shortRef(ref: string): string {
  return ref.replace(/^refs\/heads\//, "");
}

/** What a person calls the thing that a move takes along. */
export function nameOfHead(ref: string | undefined): string {
  return ref === undefined ? "HEAD" : `branch ${shortRef(ref)}`;
}
