import type { CheckpointPlaces, ReadCheckpoint } from "../query/read-checkpoints.ts";
import type { CheckpointTree, SessionFiles, StoreKind } from "../record/checkpoint-tree.ts";
import { sessionsOf } from "../record/checkpoint-tree.ts";
import type { CheckpointId } from "../record/ids.ts";

/** One checkpoint to be brought over. */
export interface MigrationStep {
  readonly id: CheckpointId;
  readonly from: CheckpointTree;
  /** Session ids that the target lacks; undefined: the checkpoint as a whole. */
  readonly sessions: ReadonlySet<string> | undefined;
  /** Of its newest session; 0 where unknown. */
  readonly createdMs: number;
}

export interface MigrationPlan {
  readonly to: StoreKind;
  /** Oldest first; without a date last. */
  readonly steps: readonly MigrationStep[];
  /** Checkpoints that the target has already, or that are only there. */
  readonly skipped: number;
}

/** Checkpoints that might have to be brought over, found from trees alone: one look-up each in the lists. */
export function findCandidates(
  places: ReadonlyMap<CheckpointId, CheckpointPlaces>,
  to: StoreKind,
  force: boolean,
): Map<CheckpointId, CheckpointPlaces> {
  const candidates = new Map<CheckpointId, CheckpointPlaces>();
  for (const [id, trees] of places) {
    const source = trees.find(({ store }) => store !== to);
    if (source === undefined) continue;
    const target = trees.find(({ store }) => store === to);
    if (!force && target !== undefined && holdsTranscripts(target, source)) continue;
    candidates.set(id, trees);
  }
  return candidates;
}

/** True if every session of the source is in the target, its transcript object for object. */
export function holdsTranscripts(target: CheckpointTree, source: CheckpointTree): boolean {
  const there = sessionsOf(target);
  const wanted = sessionsOf(source);
  const held = new Set(there.map(transcriptKey));
  return there.length >= wanted.length && wanted.every((session) => held.has(transcriptKey(session)));
}

function transcriptKey({ transcript }: SessionFiles): string {
  return transcript.join(" ");
}

/** Decides for each candidate what is missing in the target, by session id; pure. */
export function planMigration(
  places: ReadonlyMap<CheckpointId, CheckpointPlaces>,
  candidates: readonly { readonly source: ReadCheckpoint; readonly target: ReadCheckpoint | undefined }[],
  { to, force }: { readonly to: StoreKind; readonly force: boolean },
): MigrationPlan {
  const steps: MigrationStep[] = [];
  for (const { source, target } of candidates) {
    const [from] = source.places;
    const createdMs = Math.max(
      0,
      ...source.sessions.map(
        ({ metadata }) => Date.parse(typeof metadata === "string" ? "" : (metadata.createdAt ?? "")) || 0,
      ),
    );
    if (target === undefined || force) {
      steps.push({ id: source.id, from, sessions: undefined, createdMs });
      continue;
    }
    const lacking = missingSessions(source, target);
    if (lacking.size > 0) steps.push({ id: source.id, from, sessions: lacking, createdMs });
  }
  const order = (step: MigrationStep) => step.createdMs || Number.POSITIVE_INFINITY;
  steps.sort((a, b) => order(a) - order(b) || (a.id < b.id ? -1 : 1));
  return { to, steps, skipped: places.size - steps.length };
}

function missingSessions(source: ReadCheckpoint, target: ReadCheckpoint): Set<string> {
  const present = new Map<string, boolean>();
  for (const { files, metadata } of target.sessions) {
    if (typeof metadata !== "string" && metadata.sessionId !== undefined) {
      present.set(metadata.sessionId, files.transcript.length > 0);
    }
  }
  const lacking = new Set<string>();
  for (const { files, metadata } of source.sessions) {
    if (typeof metadata === "string" || metadata.sessionId === undefined) continue;
    const hasTranscript = files.transcript.length > 0;
    const there = present.get(metadata.sessionId);
    // a longer version that the target was given later is left alone
    if (there === undefined || (hasTranscript && !there)) lacking.add(metadata.sessionId);
  }
  return lacking;
}
