import { KeyframeError } from "../../base/errors.ts";
import { relateTranscripts } from "../../transcripts/relate/relate-transcripts.ts";
import type { TranscriptReader } from "../query/read-transcript.ts";
import { dateOf, type GatheredSession } from "./gathered-session.ts";

/**
 * Of several records of one session the one that holds the most of it: one that begins with all of another holds more;
 * of two that went apart, the longer; of two that are alike, the one with the later date. Whole transcripts must be
 * on this machine, unless what their chunks are says enough. `open` gives a reader of its own for each.
 */
export async function chooseRecord(
  records: readonly GatheredSession[],
  open: () => TranscriptReader,
): Promise<GatheredSession> {
  let [best, ...others] = records;
  if (best === undefined) throw new KeyframeError("not-found", "no record of the session");
  for (const other of others) if (await holdsMore(other, best, open)) best = other;
  return best;
}

/** True if the chunks alone cannot say which of two records holds more. */
export function needsContent(a: GatheredSession, b: GatheredSession): boolean {
  return byChunks(a, b) === undefined;
}

async function holdsMore(
  other: GatheredSession,
  best: GatheredSession,
  open: () => TranscriptReader,
): Promise<boolean> {
  const known = byChunks(other, best);
  if (known !== undefined) return known > 0 || (known === 0 && dateOf(other) >= dateOf(best));
  const [left, right] = [open(), open()];
  try {
    const { relation, ours, theirs } = await relateTranscripts(
      left.open(other.checkpoint, other.files),
      right.open(best.checkpoint, best.files),
    );
    if (relation === "same" || (relation === "apart" && ours === theirs))
      return dateOf(other) >= dateOf(best);
    return relation === "longer" || (relation === "apart" && ours > theirs);
  } finally {
    await left.close();
    await right.close();
  }
}

/**
 * Above 0: the first holds more; 0: both the same. A transcript grows at its end, so all chunks but the last of the
 * shorter one are chunks of the longer.
 */
function byChunks({ files: a }: GatheredSession, { files: b }: GatheredSession): number | undefined {
  const difference = a.transcript.length - b.transcript.length;
  const [shorter, longer] = difference < 0 ? [a.transcript, b.transcript] : [b.transcript, a.transcript];
  if (shorter.length === 0) return difference;
  const isPrefix = shorter.slice(0, -1).every((oid, at) => longer[at] === oid);
  if (difference === 0) return shorter.every((oid, at) => longer[at] === oid) ? 0 : undefined;
  return isPrefix && shorter.length > 1 ? difference : undefined;
}
