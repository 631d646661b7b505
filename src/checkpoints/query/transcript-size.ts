import { KeyframeError } from "../../base/errors.ts";
import type { Oid } from "../../git/ids.ts";
import type { ObjectReader } from "../../git/objects/objects.ts";
import { freeTranscriptBytes, maxTranscriptBytes, maxTranscriptGrowth } from "../../transcripts/limits.ts";

/** Tells the bytes of some chunks before any is unpacked. @throws KeyframeError `too-large` */
export type SizeCheck = (what: string, oids: readonly Oid[]) => Promise<number>;

/**
 * Bounds what all transcripts that it is asked for are together by what they take in the repository: what is stored
 * in a few bytes may be gigabytes when it is written, and a tree can name one chunk a thousand times.
 */
export function createSizeCheck(
  objects: Pick<ObjectReader, "info" | "sizeOnDisk">,
  mostBytes = maxTranscriptBytes,
): SizeCheck {
  const counted = new Set<Oid>();
  let leftBytes = freeTranscriptBytes;

  async function bytesOnDisk(oids: readonly Oid[]): Promise<number> {
    const fresh = [...new Set(oids)].filter((oid) => !counted.has(oid));
    for (const oid of fresh) counted.add(oid);
    const sizes = await Promise.all(fresh.map((oid) => objects.sizeOnDisk(oid)));
    return sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0);
  }

  return async (what, oids) => {
    const found = await Promise.all(oids.map((oid) => objects.info(oid)));
    const sizeBytes = found.reduce((sum, info) => sum + (info?.sizeBytes ?? 0), 0);
    const refused = (limit: string) =>
      new KeyframeError("too-large", `${what} would have ${sizeBytes} bytes, more than ${limit}`, {
        hint: "nothing was read or written; no agent writes such a conversation, so look at who pushed it",
      });
    if (sizeBytes > mostBytes) throw refused(`the ${mostBytes} that any may have`);
    if (sizeBytes > leftBytes) {
      const stored = await bytesOnDisk(oids);
      const beyondBytes = Math.max(0, sizeBytes - maxTranscriptGrowth * stored);
      if (beyondBytes > leftBytes)
        throw refused(`${maxTranscriptGrowth} times the ${stored} that it takes in the repository`);
      leftBytes -= beyondBytes;
    } else leftBytes -= sizeBytes;
    return sizeBytes;
  };
}
