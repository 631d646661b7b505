import type { CheckpointId } from "../record/ids.ts";
import type { ReadCheckpoint, ReadSession } from "./read-checkpoints.ts";

/**
 * The prompts that led to a checkpoint, of those that its record holds. Some writers store those of the whole session
 * each time: what the session's checkpoint before holds already led to that one. Where nothing was asked since, the
 * last prompt is what was worked on. Pure.
 */
export function promptsInScope(prompts: readonly string[], before: readonly string[]): readonly string[] {
  const goesOn = before.length > 0 && before.every((prompt, at) => prompts[at] === prompt);
  if (!goesOn) return prompts;
  return prompts.length > before.length ? prompts.slice(before.length) : prompts.slice(-1);
}

/** The record of the same session in the checkpoint before, by checkpoint and directory number. */
export type Predecessors = ReadonlyMap<string, ReadSession>;

export function findPredecessors(checkpoints: readonly ReadCheckpoint[]): Predecessors {
  const bySession = new Map<
    string,
    { readonly key: string; readonly session: ReadSession; readonly createdMs: number }[]
  >();
  for (const { id, sessions } of checkpoints) {
    for (const session of sessions) {
      const { metadata, files } = session;
      if (typeof metadata === "string" || metadata.sessionId === undefined) continue;
      const records = bySession.get(metadata.sessionId) ?? [];
      const createdMs = Date.parse(metadata.createdAt ?? "") || 0;
      records.push({ key: predecessorKey(id, files.index), session, createdMs });
      bySession.set(metadata.sessionId, records);
    }
  }
  const predecessors = new Map<string, ReadSession>();
  for (const records of bySession.values()) {
    records.sort((a, b) => a.createdMs - b.createdMs);
    for (const [at, { key }] of records.entries()) {
      const before = records[at - 1];
      if (before !== undefined) predecessors.set(key, before.session);
    }
  }
  return predecessors;
}

export function predecessorKey(id: CheckpointId, index: number): string {
  return `${id}/${index}`;
}
