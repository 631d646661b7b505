import { KeyframeError } from "../../base/errors.ts";
import type { Git } from "../../git/git.ts";
import { isOid, type Oid } from "../../git/ids.ts";
import { resolveRevision } from "../../git/refs/refs.ts";
import { listMarks, type MarkSnapshot } from "../capture/marks.ts";
import { listTurnSnapshots, type TurnSnapshot } from "../capture/turn-snapshots.ts";
import { readLinkedCommits } from "../query/linked-commits.ts";
import type { CheckpointId } from "../record/ids.ts";
import { worktreeIdOf } from "../sessions/events.ts";

/** A moment that a worktree can go back to. */
export type RewindPoint =
  | {
      /** The end of a turn, or where a session began: exact, untracked files included. */
      readonly kind: "turn";
      /** The first digits of the snapshot. */
      readonly id: string;
      readonly at: string;
      readonly label: string;
      readonly snapshot: TurnSnapshot;
    }
  | {
      /** What `keyframe mark` remembered: exact, untracked files included. */
      readonly kind: "mark";
      readonly id: string;
      readonly at: string;
      readonly label: string;
      readonly mark: MarkSnapshot;
    }
  | {
      /** A commit that names a checkpoint: what it holds; untracked files stay as they are. */
      readonly kind: "checkpoint";
      readonly id: CheckpointId;
      readonly at: string;
      readonly label: string;
      readonly commit: Oid;
    }
  | {
      /** Any other commit: what it holds; untracked files stay, and there is no conversation to bring back. */
      readonly kind: "commit";
      /** The first digits of the commit. */
      readonly id: string;
      readonly at: string;
      readonly label: string;
      readonly commit: Oid;
    };

const maxCheckpoints = 50;

/** Newest first: the turns of this worktree, and the checkpoints that HEAD's history names. */
export async function listRewindPoints(git: Git): Promise<RewindPoint[]> {
  const worktree = worktreeIdOf(git.repository);
  const [turns, marks, commits] = await Promise.all([
    listTurnSnapshots(git),
    listMarks(git),
    readLinkedCommits(git, { revisions: ["HEAD"], limit: maxCheckpoints }),
  ]);
  const points: RewindPoint[] = turns
    .filter((snapshot) => snapshot.worktree === worktree)
    .map((snapshot) => ({
      kind: "turn",
      id: snapshot.commit.slice(0, 12),
      at: snapshot.at,
      label: snapshot.turn === 0 ? "before the first prompt" : snapshot.prompt || `turn ${snapshot.turn}`,
      snapshot,
    }));
  for (const mark of marks.filter((each) => each.worktree === worktree)) {
    const { commit, at, title } = mark;
    points.push({ kind: "mark", id: commit.slice(0, 12), at, label: title, mark });
  }
  for (const { oid, date, subject, checkpoints } of commits) {
    for (const id of checkpoints)
      points.push({ kind: "checkpoint", id, at: date, label: subject, commit: oid });
  }
  return points.sort((a, b) => Date.parse(b.at) - Date.parse(a.at));
}

/**
 * The point that a text names: an id or the unambiguous beginning of one, the title of a mark (the newest), or any
 * revision of git. @throws KeyframeError `not-found`, `usage`
 */
export async function mustFindPoint(git: Git, text: string): Promise<RewindPoint> {
  const points = await listRewindPoints(git);
  const known =
    findPoint(points, text) ?? points.find(({ kind, label }) => kind === "mark" && label === text);
  if (known !== undefined) return known;
  const commit = await resolveRevision(git, `${text}^{commit}`);
  if (commit !== undefined) {
    const named = points.find((point) => point.kind === "checkpoint" && point.commit === commit);
    return named ?? commitPoint(git, commit);
  }
  throw new KeyframeError("not-found", `rewind point not found: ${text.slice(0, 80)}`, {
    hint: "see `keyframe rewind --list`",
  });
}

/** Any commit as a point. */
export async function commitPoint(git: Git, commit: Oid): Promise<RewindPoint> {
  const text = await git.text(["show", "-s", "--no-show-signature", "--format=%cI%x00%s", commit]);
  const [at = "", label = ""] = text.split("\0");
  return { kind: "commit", id: commit.slice(0, 12), at, label, commit };
}

function findPoint(points: readonly RewindPoint[], text: string): RewindPoint | undefined {
  const wanted = text.toLowerCase();
  const exact = points.filter(({ id }) => id.toLowerCase() === wanted);
  const found =
    exact.length > 0
      ? exact
      : points.filter((point) => {
          const name = snapshotOf(point)?.commit ?? point.id.toLowerCase();
          return wanted.length >= 4 && name.startsWith(wanted);
        });
  const [first, second] = found;
  if (first !== undefined && second !== undefined && second.id !== first.id) {
    throw new KeyframeError("usage", `ambiguous point "${text}": matches ${found.length}`, {
      hint: "give more of its digits",
    });
  }
  return first;
}

/** The snapshot behind a point; undefined for a commit, with a checkpoint or without. */
export function snapshotOf(point: RewindPoint): TurnSnapshot | MarkSnapshot | undefined {
  if (point.kind === "turn") return point.snapshot;
  return point.kind === "mark" ? point.mark : undefined;
}

/** The tree that a point's files have. */
export async function treeOfPoint(git: Git, point: RewindPoint): Promise<Oid> {
  if (point.kind === "turn") return point.snapshot.tree;
  if (point.kind === "mark") return point.mark.tree;
  const tree = await git.text(["rev-parse", "--verify", `${point.commit}^{tree}`]);
  if (isOid(tree)) return tree;
  throw new KeyframeError("not-here", `the files of commit ${point.commit} are not on this machine`);
}
