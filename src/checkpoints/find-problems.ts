import type { Git } from "../git/git.ts";
import { missingObjects } from "../git/missing-objects.ts";
import { sessionsOf } from "./checkpoint-tree.ts";
import type { CheckpointId } from "./ids.ts";
import { linksByCheckpoint, readLinkedCommits } from "./links.ts";
import { listCheckpointPlaces, type ReadCheckpoint, readCheckpoints } from "./read-checkpoints.ts";
import { readStoreRefs, type StoreRefs, v1Branch } from "./store-refs.ts";
import type { CheckpointStores } from "./stores.ts";

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
  | "incomplete transcript"
  /** The local branch and a remote's copy have no commit in common. */
  | "disconnected branch";

export interface CheckpointProblem {
  readonly kind: CheckpointProblemKind;
  /** The checkpoint or ref it is about. */
  readonly subject: string;
  readonly what: string;
  /** What the user can do. */
  readonly repair: string;
  /** True where nothing is lost and nothing has to be done. */
  readonly harmless: boolean;
}

/** Looks over all checkpoints and the commits that name them. Reads only; nothing is repaired or deleted here. */
export async function findCheckpointProblems(
  git: Git,
  stores: CheckpointStores,
): Promise<CheckpointProblem[]> {
  const [places, commits, refs] = await Promise.all([
    listCheckpointPlaces(stores),
    readLinkedCommits(git),
    readStoreRefs(git),
  ]);
  const links = linksByCheckpoint(commits);
  const read = await readCheckpoints(git, places);
  const problems: CheckpointProblem[] = [];
  for (const [id, [commit]] of links) {
    if (places.has(id)) continue;
    problems.push({
      kind: "dangling trailer",
      subject: id,
      what: `commit ${commit?.shortOid} (${commit?.subject}) names it, and nothing is stored here`,
      repair: "run `keyframe fetch`; if no remote has it, it was never pushed from where it was made",
      harmless: false,
    });
  }
  for (const id of places.keys()) if (!links.has(id)) problems.push(unlinked(id));
  problems.push(...read.flatMap((checkpoint) => [...recordProblems(checkpoint)]));
  problems.push(...(await absentObjects(git, read)));
  problems.push(...(await disconnectedBranches(git, refs)));
  return problems;
}

function unlinked(id: CheckpointId): CheckpointProblem {
  return {
    kind: "unlinked checkpoint",
    subject: id,
    what: "no commit on this machine names it",
    repair: "nothing to do: `keyframe explain` and `keyframe resume` still take its id",
    harmless: true,
  };
}

function* recordProblems({ id, places, root, sessions }: ReadCheckpoint): Generator<CheckpointProblem> {
  const unreadable = (what: string): CheckpointProblem => ({
    kind: "unreadable record",
    subject: id,
    what,
    repair:
      places.length > 1
        ? `${places[1]?.store} holds it too: run \`keyframe migrate --to ${places[0].store} --force\``
        : "fetch it again from a remote that has it whole",
    harmless: false,
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
      what: `session ${files.index} lacks chunk ${files.missingChunks.join(", ")}`,
      repair: "another store or remote may hold it whole: run `keyframe fetch`",
      harmless: false,
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
        repair: "run `keyframe fetch` to get them",
        harmless: false,
      },
    ];
  });
}

async function disconnectedBranches(git: Git, { v1 }: StoreRefs): Promise<CheckpointProblem[]> {
  const local = v1.find(({ ref }) => ref === v1Branch);
  const problems: CheckpointProblem[] = [];
  for (const { ref, oid } of v1) {
    if (local === undefined || !ref.startsWith("refs/remotes/") || oid === local.oid) continue;
    const common = await git.run(["merge-base", local.oid, oid], { okCodes: [0, 1] });
    if (common.code === 0) continue;
    problems.push({
      kind: "disconnected branch",
      subject: ref,
      what: "it and the local branch have no commit in common; both are read, and neither can be pushed over the other",
      repair: "run `keyframe push`: it joins the two by session",
      harmless: false,
    });
  }
  return problems;
}
