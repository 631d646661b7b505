import type { SessionFiles } from "../record/checkpoint-tree.ts";

/** A stored session as far as pairing needs it. */
export interface PairableSession {
  readonly files: SessionFiles;
  /** Undefined: its metadata does not say, so only its directory names it. */
  readonly sessionId: string | undefined;
}

export interface SessionPairs<T extends PairableSession> {
  /** Each source session that has a counterpart; no target session is the counterpart of two. */
  readonly pairs: readonly { readonly source: T; readonly target: T; readonly isSame: boolean }[];
  /** Source sessions that the target lacks. */
  readonly lacking: readonly T[];
  /** Target sessions that no source session stands behind. */
  readonly extra: readonly T[];
}

/**
 * Which session of one record is which of another; pure. A record may hold one session id several times, each with a
 * transcript of its own: those with the same transcript belong together, what is left of an id is paired in order.
 */
export function pairSessions<T extends PairableSession>(
  sources: readonly T[],
  targets: readonly T[],
): SessionPairs<T> {
  const free = new Set(targets);
  const counterparts = new Map<T, { readonly target: T; readonly isSame: boolean }>();
  for (const isSame of [true, false]) {
    for (const source of sources) {
      if (counterparts.has(source)) continue;
      const target = [...free].find(
        (other) =>
          keyOf(other) === keyOf(source) && (!isSame || hasSameTranscript(source.files, other.files)),
      );
      if (target === undefined) continue;
      free.delete(target);
      counterparts.set(source, { target, isSame });
    }
  }
  const pairs = sources.flatMap((source) => {
    const counterpart = counterparts.get(source);
    return counterpart === undefined ? [] : [{ source, ...counterpart }];
  });
  return { pairs, lacking: sources.filter((source) => !counterparts.has(source)), extra: [...free] };
}

/** True where both are the same objects in the same places. */
export function hasSameTranscript(a: SessionFiles, b: SessionFiles): boolean {
  return transcriptKey(a) === transcriptKey(b);
}

export function transcriptKey({ transcript, missingChunks }: SessionFiles): string {
  return `${transcript.join(" ")}|${missingChunks.join(" ")}`;
}

function keyOf({ sessionId, files }: PairableSession): string {
  return sessionId ?? `#${Math.max(0, files.index)}`;
}
