import type { Git } from "../../git/git.ts";
import { type Relation, relateContent } from "../../transcripts/relate/relate-content.ts";
import {
  type CheckpointPlaces,
  listCheckpointPlaces,
  type ReadCheckpoint,
  type ReadSession,
  readCheckpoints,
} from "../query/read-checkpoints.ts";
import { openTranscriptReader } from "../query/read-transcript.ts";
import type { StoreKind } from "../record/checkpoint-tree.ts";
import type { CheckpointId } from "../record/ids.ts";
import type { CheckpointStores } from "../stores/open-stores.ts";
import { pairSessions } from "./pair-sessions.ts";
import {
  findCandidates,
  type MigrationPlan,
  type MigrationStep,
  orderSteps,
  pairable,
  planStep,
} from "./plan-migration.ts";

export interface MigrationRequest {
  readonly to: StoreKind;
  /** Writes again what the target has already. */
  readonly force?: boolean;
}

/**
 * What a migration would do: nothing is written. Of a checkpoint in two other stores one is brought over; planning
 * again once that is done finds what only the other has.
 */
export async function readMigrationPlan(
  git: Git,
  stores: CheckpointStores,
  { to, force = false }: MigrationRequest,
): Promise<MigrationPlan> {
  const places = await listCheckpointPlaces(stores);
  const candidates = findCandidates(places, to, force);
  const targets = await readById(
    git,
    [...candidates].flatMap(([id, { target }]) => (target === undefined ? [] : [[id, [target]]])),
  );
  const steps = new Map<CheckpointId, MigrationStep>();
  for (let rank = 0; ; rank += 1) {
    const ranked = [...candidates].flatMap(([id, { sources }]): [CheckpointId, CheckpointPlaces][] => {
      const tree = sources[rank];
      return tree === undefined || steps.has(id) ? [] : [[id, [tree]]];
    });
    if (ranked.length === 0) break;
    for (const source of (await readById(git, ranked)).values()) {
      const target = targets.get(source.id);
      const relations = await relateSessions(git, source, target);
      const relation = (session: ReadSession) => relations.get(session.files.index) ?? "apart";
      const step = planStep({ source, target, relation }, force);
      if (step !== undefined) steps.set(source.id, step);
    }
  }
  return {
    to,
    steps: orderSteps([...steps.values()]),
    skipped: places.size - steps.size,
    hasSeveralSources: [...candidates.values()].some(({ sources }) => sources.length > 1),
  };
}

async function readById(
  git: Git,
  places: [CheckpointId, CheckpointPlaces][],
): Promise<Map<CheckpointId, ReadCheckpoint>> {
  return new Map((await readCheckpoints(git, places)).map((read) => [read.id, read]));
}

/** How each source session's transcript stands to its counterpart's, by the source's directory number. */
async function relateSessions(
  git: Git,
  source: ReadCheckpoint,
  target: ReadCheckpoint | undefined,
): Promise<Map<number, Relation>> {
  const relations = new Map<number, Relation>();
  if (target === undefined) return relations;
  const { pairs } = pairSessions(source.sessions.map(pairable), target.sessions.map(pairable));
  for (const pair of pairs) {
    if (pair.isSame) continue;
    relations.set(pair.source.files.index, await relateStored(git, source.id, pair.source, pair.target));
  }
  return relations;
}

/** By content; where a piece is not on this machine, nothing is known of both and so both are kept. */
export async function relateStored(
  git: Git,
  id: CheckpointId,
  { files: ours }: Pick<ReadSession, "files">,
  { files: theirs }: Pick<ReadSession, "files">,
): Promise<Relation> {
  if (ours.transcript.length === 0) return theirs.transcript.length === 0 ? "same" : "shorter";
  if (theirs.transcript.length === 0) return "longer";
  if (ours.missingChunks.length + theirs.missingChunks.length > 0) return "apart";
  const [left, right] = [openTranscriptReader(git), openTranscriptReader(git)];
  try {
    const absent = await left.missing([...ours.transcript, ...theirs.transcript]);
    return absent.length > 0 ? "apart" : await relateContent(left.open(id, ours), right.open(id, theirs));
  } finally {
    await left.close();
    await right.close();
  }
}
