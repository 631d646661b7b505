import type { Git } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";
import { blobOid, type ObjectFormat } from "../../git/objects/bulk-writer.ts";
import { missingOwnObjects } from "../../git/objects/missing-objects.ts";
import type { Files } from "../../system/files/files.ts";
import { cutTranscript } from "../../transcripts/chunks.ts";
import { cutMessages } from "../../transcripts/message-chunks.ts";
import type { BlobSource } from "../stores/store.ts";
import type { CaptureRecord } from "./record.ts";

/** One stored file of a transcript. */
export interface StoredChunk {
  readonly offsetBytes: number;
  readonly oid: Oid;
  readonly source: BlobSource;
}

export interface ChunkRequest {
  /** Our redacted copy. */
  readonly path: string;
  /** How much of it belongs to the checkpoint. */
  readonly bytes: number;
  readonly document: boolean;
  /** Chunks that an earlier checkpoint stored, of the same copy. */
  readonly known: CaptureRecord["chunks"];
  readonly format: ObjectFormat;
}

/**
 * The files that a transcript is stored as. Those that cannot change any more are named by their id and not read;
 * what the object database has lost since is read again.
 */
export async function chunksOf(git: Git, files: Files, request: ChunkRequest): Promise<StoredChunk[]> {
  const { bytes, format, document, path } = request;
  if (bytes === 0) return [];
  if (document) {
    return cutMessages(files.read(path).subarray(0, bytes)).map((content, index) => ({
      offsetBytes: index,
      oid: blobOid(content, format),
      source: { bytes: content },
    }));
  }
  const kept = await finalChunks(git, request);
  const chunks: StoredChunk[] = kept.map((chunk) => ({ ...chunk, source: { oid: chunk.oid } }));
  const offsetBytes = request.known[kept.length]?.offsetBytes ?? 0;
  for await (const chunk of cutTranscript(readCopy(files, path, { from: offsetBytes, to: bytes }), {
    offsetBytes,
  })) {
    chunks.push({
      offsetBytes: chunk.offsetBytes,
      oid: blobOid(chunk.bytes, format),
      source: { bytes: chunk.bytes },
    });
  }
  return chunks;
}

/** The known chunks that end before the last one begins, up to the first that is gone. */
async function finalChunks(git: Git, { known, bytes }: ChunkRequest): Promise<CaptureRecord["chunks"]> {
  const whole = known.filter(
    (_, index) => (known[index + 1]?.offsetBytes ?? Number.POSITIVE_INFINITY) <= bytes,
  );
  const gone = new Set(
    await missingOwnObjects(
      git,
      whole.map(({ oid }) => oid),
    ),
  );
  const firstGone = whole.findIndex(({ oid }) => gone.has(oid));
  return firstGone === -1 ? whole : whole.slice(0, firstGone);
}

/** A range of our copy's bytes. */
export async function* readCopy(
  files: Files,
  path: string,
  { from, to }: { readonly from: number; readonly to: number },
): AsyncGenerator<Buffer> {
  let left = to - from;
  if (left <= 0) return;
  for (const chunk of files.readChunks(path, { offsetBytes: from })) {
    yield chunk.subarray(0, left);
    left -= chunk.length;
    if (left <= 0) return;
  }
}
