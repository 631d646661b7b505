import { isJsonObject, jsonField, numberField } from "../../base/json.ts";
import type { PushOutcome, RefPush } from "../../git/remote/push.ts";
import type { Clock } from "../../system/clock.ts";

/** What is known of pushes to a remote: how many refs it takes at once, and which it refused. */
export interface ChunkMemory {
  readonly refs: number;
  readonly refused: ReadonlySet<string>;
}

export const freshMemory: ChunkMemory = { refs: 200, refused: new Set() };

/** So many more pushes look for the ref that made a remote refuse a whole chunk. */
const isolatingPushes = 32;
/** A chunk should take this part of the time there is. */
const chunkShare = 1 / 4;
const patientMs = 60_000;

export interface ChunkedPush {
  readonly pushes: readonly RefPush[];
  readonly memory: ChunkMemory;
  readonly clock: Pick<Clock, "monotonicMs">;
  /** When no further chunk is begun (`clock.monotonicMs`); undefined: however long it takes. */
  readonly deadlineMs: number | undefined;
  /** One push of some refs. */
  push(chunk: readonly RefPush[]): Promise<ReadonlyMap<string, PushOutcome>>;
  /** What a chunk came to, as soon as it is known: a process that is killed later has done so much. */
  take(outcomes: ReadonlyMap<string, PushOutcome>): void;
}

/**
 * Pushes many refs in chunks whose size follows from how long they take. Where the remote refuses a chunk as a whole, halves
 * of it find the ref that it means; what was refused before comes last. The first chunk is always tried.
 */
export async function pushInChunks(
  request: ChunkedPush,
): Promise<{ readonly memory: ChunkMemory; readonly left: readonly RefPush[] }> {
  const { clock, deadlineMs, memory } = request;
  const queue: (readonly RefPush[])[] = [];
  const waiting = [...request.pushes].sort(
    (a, b) => Number(memory.refused.has(a.ref)) - Number(memory.refused.has(b.ref)),
  );
  const goalMs =
    (deadlineMs === undefined ? patientMs : Math.max(0, deadlineMs - clock.monotonicMs())) * chunkShare;
  const refused = new Set<string>();
  let size = memory.refs;
  let isolating = isolatingPushes;
  for (let isFirst = true; queue.length + waiting.length > 0; isFirst = false) {
    const startMs = clock.monotonicMs();
    if (!isFirst && deadlineMs !== undefined && startMs >= deadlineMs) break;
    const chunk = queue.shift() ?? waiting.splice(0, size);
    const outcomes = await request.push(chunk);
    const isRefusedWhole = chunk.every(({ ref }) => isRefused(outcomes.get(ref)));
    if (isRefusedWhole && chunk.length > 1 && isolating > 0) {
      isolating -= 2;
      queue.unshift(chunk.slice(0, chunk.length >> 1), chunk.slice(chunk.length >> 1));
      continue;
    }
    for (const [ref, outcome] of outcomes) if (isRefused(outcome)) refused.add(ref);
    if (chunk.length >= size) size = nextSize(size, clock.monotonicMs() - startMs, goalMs);
    request.take(outcomes);
  }
  return { memory: { refs: size, refused }, left: [...queue.flat(), ...waiting] };
}

function isRefused(outcome: PushOutcome | undefined): boolean {
  return typeof outcome === "object";
}

/** A quarter where a chunk took too long, twice as many where it was quick. */
export function nextSize(refs: number, tookMs: number, goalMs: number): number {
  if (tookMs > goalMs) return Math.max(1, refs >> 2);
  return tookMs < goalMs / 2 ? Math.min(freshMemory.refs, refs * 2) : refs;
}

/** Anything that cannot be understood counts as nothing known. */
export function parseChunkMemory(document: unknown): ChunkMemory {
  if (!isJsonObject(document)) return freshMemory;
  const refs = numberField(document, "refs");
  const refused = jsonField(document, "refused");
  return {
    refs:
      refs !== undefined && Number.isSafeInteger(refs) && refs >= 1 && refs <= freshMemory.refs
        ? refs
        : freshMemory.refs,
    refused: new Set((Array.isArray(refused) ? refused : []).filter((ref) => typeof ref === "string")),
  };
}
