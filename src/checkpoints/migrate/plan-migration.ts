import type { Relation } from "../../transcripts/relate/relate-content.ts";
import type { CheckpointPlaces, ReadCheckpoint, ReadSession } from "../query/read-checkpoints.ts";
import type { CheckpointTree, StoreKind } from "../record/checkpoint-tree.ts";
import { sessionsOf } from "../record/checkpoint-tree.ts";
import type { CheckpointId } from "../record/ids.ts";
import { type PairableSession, pairSessions, transcriptKey } from "./pair-sessions.ts";

/** One checkpoint to be brought over. */
export interface MigrationStep {
  readonly id: CheckpointId;
  readonly from: CheckpointTree;
  /** Ids of the sessions that are brought over; undefined: the checkpoint as a whole. */
  readonly sessions: ReadonlySet<string> | undefined;
  /** Where they go, by directory number of the source; undefined: each into the directory that it has. */
  readonly slots?: ReadonlyMap<number, number | "new">;
  /** Of its newest session; 0 where unknown. */
  readonly createdMs: number;
}

export interface MigrationPlan {
  readonly to: StoreKind;
  /** Oldest first; without a date last. */
  readonly steps: readonly MigrationStep[];
  /** Checkpoints that the target has already, or that are only there. */
  readonly skipped: number;
  /** True where more than one other store holds a checkpoint of the plan. */
  readonly hasSeveralSources?: boolean;
}

/** Checkpoints that might have to be brought over, found from trees alone, with the stores that hold them. */
export function findCandidates(
  places: ReadonlyMap<CheckpointId, CheckpointPlaces>,
  to: StoreKind,
  force: boolean,
): Map<CheckpointId, { readonly sources: readonly CheckpointTree[]; readonly target?: CheckpointTree }> {
  const candidates = new Map<
    CheckpointId,
    { readonly sources: readonly CheckpointTree[]; readonly target?: CheckpointTree }
  >();
  for (const [id, trees] of places) {
    const target = trees.find(({ store }) => store === to);
    const sources = trees.filter(
      (tree) => tree.store !== to && (force || target === undefined || !holdsTranscripts(target, tree)),
    );
    if (sources.length > 0) candidates.set(id, { sources, ...(target === undefined ? {} : { target }) });
  }
  return candidates;
}

/** True if every session of the source is in the target, its transcript object for object, and each as often. */
export function holdsTranscripts(target: CheckpointTree, source: CheckpointTree): boolean {
  const held = new Map<string, number>();
  for (const session of sessionsOf(target)) {
    held.set(transcriptKey(session), (held.get(transcriptKey(session)) ?? 0) + 1);
  }
  return sessionsOf(source).every((session) => {
    const left = (held.get(transcriptKey(session)) ?? 0) - 1;
    held.set(transcriptKey(session), left);
    return left >= 0;
  });
}

/** A checkpoint in a source and in the target, each session of the source as its transcript stands to its counterpart. */
export interface MigrationCandidate {
  readonly source: ReadCheckpoint;
  readonly target: ReadCheckpoint | undefined;
  relation(source: ReadSession, target: ReadSession): Relation;
}

/** What has to be brought over of one checkpoint; undefined: nothing. Pure. */
export function planStep(candidate: MigrationCandidate, force: boolean): MigrationStep | undefined {
  const { source, target } = candidate;
  const step = { id: source.id, from: source.places[0], createdMs: createdMs(source) };
  if (target === undefined) return { ...step, sessions: undefined };
  const pairing = pairSessions(source.sessions.map(pairable), target.sessions.map(pairable));
  const pairs = pairing.pairs.map((pair): SessionStanding => {
    const standing = pair.isSame ? "same" : candidate.relation(pair.source, pair.target);
    return { from: pair.source.files.index, to: pair.target.files.index, standing };
  });
  const slots = planSlots(pairs, force);
  for (const { files } of pairing.lacking) slots.set(files.index, "new");
  const hasOthers =
    pairing.extra.length > 0 || pairs.some(({ standing }) => standing === "shorter" || standing === "apart");
  if (slots.size === 0) return undefined;
  // a target that has nothing of its own is written as the source is: in its order, with all of its members
  if (!hasOthers) return { ...step, sessions: undefined };
  const sessions = source.sessions.filter(({ files }) => slots.has(files.index)).map(pairable);
  return { ...step, slots, sessions: new Set(sessions.flatMap(({ sessionId }) => sessionId ?? [])) };
}

interface SessionStanding {
  readonly from: number;
  readonly to: number;
  readonly standing: Relation;
}

function planSlots(pairs: readonly SessionStanding[], force: boolean): Map<number, number | "new"> {
  const slots = new Map<number, number | "new">();
  for (const { from, to, standing } of pairs) {
    if (standing === "longer" || (standing === "same" && force)) slots.set(from, to);
    // both have something that the other lacks: the target's stays as it is
    if (standing === "apart") slots.set(from, "new");
  }
  return slots;
}

export function pairable(session: ReadSession): ReadSession & PairableSession {
  const { metadata } = session;
  return { ...session, sessionId: typeof metadata === "string" ? undefined : metadata.sessionId };
}

export function orderSteps(steps: readonly MigrationStep[]): MigrationStep[] {
  const order = (step: MigrationStep) => step.createdMs || Number.POSITIVE_INFINITY;
  return [...steps].sort((a, b) => order(a) - order(b) || (a.id < b.id ? -1 : 1));
}

function createdMs({ sessions }: ReadCheckpoint): number {
  return Math.max(
    0,
    ...sessions.map(
      ({ metadata }) => Date.parse(typeof metadata === "string" ? "" : (metadata.createdAt ?? "")) || 0,
    ),
  );
}
