import { listSome } from "../../base/text/list-some.ts";
import type { Git } from "../../git/git.ts";
import { missingObjects } from "../../git/objects/missing-objects.ts";
import { linksByCheckpoint, readLinkedCommits } from "../query/linked-commits.ts";
import { listCheckpointPlaces, type ReadCheckpoint, readCheckpoints } from "../query/read-checkpoints.ts";
import { sessionsOf } from "../record/checkpoint-tree.ts";
import type { CheckpointId } from "../record/ids.ts";
import type { CheckpointStores } from "../stores/open-stores.ts";
import { isReadable, planRecordRepairs, type RecordRepair } from "./repair-records.ts";

export type CheckpointProblemKind =
  /** A commit names a checkpoint of which nothing is stored here. */
  | "dangling trailer"
  /** A stored checkpoint that no commit here names: its branch may be gone, or squashed. */
  | "unlinked checkpoint"
  /** Metadata that is there and cannot be understood. */
  | "unreadable record"
  /** Recorded, but the object is not on this machine. */
  | "missing here"
  /** The record itself lacks a part of a transcript. */
  | "incomplete transcript";

export interface CheckpointProblem {
  readonly kind: CheckpointProblemKind;
  /** The checkpoint or ref it is about. */
  readonly subject: string;
  readonly what: string;
  /** What the user can do. */
  readonly repair: string;
  /** True where nothing is lost and nothing has to be done. */
  readonly harmless: boolean;
  /** True if `doctor --repair` does it, without asking a remote. */
  readonly repairable: boolean;
}

/** Checkpoints that are not in the stores, and are not lost either. */
export interface OutsideStores {
  /** What they will say is durable. */
  readonly prepared: ReadonlySet<CheckpointId>;
  /** Fetched of a remote. */
  readonly fetched: ReadonlySet<CheckpointId>;
}

/** Looks over all checkpoints and the commits that name them. Reads only; nothing is repaired or deleted here. */
export async function findCheckpointProblems(
  git: Git,
  stores: CheckpointStores,
  { prepared, fetched }: OutsideStores = { prepared: new Set(), fetched: new Set() },
): Promise<CheckpointProblem[]> {
  const [places, commits] = await Promise.all([listCheckpointPlaces(stores), readLinkedCommits(git)]);
  const links = linksByCheckpoint(commits);
  const read = await readCheckpoints(git, places);
  const problems: CheckpointProblem[] = [];
  for (const [id, [commit]] of links) {
    if (places.has(id) || fetched.has(id)) continue;
    problems.push({
      kind: "dangling trailer",
      subject: id,
      what: `commit ${commit?.shortOid} (${commit?.subject}) names it, and nothing is stored here`,
      repair: prepared.has(id)
        ? "it is prepared: `keyframe doctor --repair` stores it"
        : "run `keyframe fetch`; if no remote has it, it was never pushed from where it was made",
      harmless: false,
      repairable: prepared.has(id),
    });
  }
  for (const id of places.keys()) if (!links.has(id)) problems.push(unlinked(id));
  const mayBeMended = read.some((checkpoint) => checkpoint.places.length > 1 && !isReadable(checkpoint));
  const repairs = new Map(
    (mayBeMended ? await planRecordRepairs(git, stores) : []).map((repair) => [repair.id, repair]),
  );
  problems.push(...read.flatMap((checkpoint) => [...recordProblems(checkpoint, repairs.get(checkpoint.id))]));
  problems.push(...(await absentObjects(git, read)));
  return problems;
}

function unlinked(id: CheckpointId): CheckpointProblem {
  return {
    kind: "unlinked checkpoint",
    subject: id,
    what: "no commit on this machine names it",
    repair: "nothing to do: `keyframe explain` and `keyframe resume` still take its id",
    harmless: true,
    repairable: false,
  };
}

function* recordProblems(
  { id, root, sessions }: ReadCheckpoint,
  mended: RecordRepair | undefined,
): Generator<CheckpointProblem> {
  const unreadable = (what: string): CheckpointProblem => ({
    kind: "unreadable record",
    subject: id,
    what,
    repair:
      mended === undefined
        ? "restore it from a clone or a remote that has it whole; its branch's history has what it was before"
        : `${mended.from.store} has it whole: \`keyframe doctor --repair\` writes it anew from there`,
    harmless: false,
    repairable: mended !== undefined,
  });
  if (root === "damaged" || root === "too large") yield unreadable(`metadata.json: ${root}`);
  if (root === "never recorded") yield unreadable("metadata.json: never recorded");
  for (const { files, metadata } of sessions) {
    if (metadata === "damaged" || metadata === "too large")
      yield unreadable(`${files.index}/metadata.json: ${metadata}`);
    if (files.missingChunks.length === 0) continue;
    yield {
      kind: "incomplete transcript",
      subject: id,
      what: `session ${files.index} lacks chunk ${listSome(files.missingChunks)}`,
      repair: "another store or remote may hold it whole: run `keyframe fetch`",
      harmless: false,
      repairable: false,
    };
  }
}

async function absentObjects(git: Git, read: readonly ReadCheckpoint[]): Promise<CheckpointProblem[]> {
  const absent = new Set(
    await missingObjects(
      git,
      read.flatMap(({ places: [tree] }) => [...tree.files.values()]),
    ),
  );
  return read.flatMap(({ id, places: [tree] }) => {
    const paths = [...tree.files].filter(([, oid]) => absent.has(oid)).map(([path]) => path);
    if (paths.length === 0) return [];
    const transcripts = sessionsOf(tree).filter(({ transcript }) =>
      transcript.some((oid) => absent.has(oid)),
    ).length;
    return [
      {
        kind: "missing here" as const,
        subject: id,
        what: `${paths.length} of ${tree.files.size} files are recorded but not on this machine (${transcripts} transcripts): ${paths.slice(0, 3).join(", ")}`,
        repair: `run \`keyframe fetch --checkpoint ${id}\` to get them`,
        harmless: false,
        repairable: false,
      },
    ];
  });
}
