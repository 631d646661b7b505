import { join } from "node:path";
import { KeyframeError } from "../../base/errors.ts";
import type { Clock } from "../../system/clock.ts";
import { fault } from "../../system/fault.ts";
import type { Files } from "../../system/files/files.ts";
import type { OpenSparseFile, SparseFile } from "../../system/files/sparse-file.ts";
import type { Random } from "../../system/random.ts";
import { createBlockBitset } from "../block-bitset.ts";
import { encodeDataFileMark, markBytes, markOffset, parseDataFileMark } from "../data-file-mark.ts";
import { type CacheGeometry, type CacheStore, trackedGranules } from "./cache-store.ts";
import { encodePresenceRecord, type PresenceSubject, parsePresenceRecord } from "./presence-record.ts";

export interface CacheFolderSystem {
  readonly files: Files;
  readonly openSparseFile: OpenSparseFile;
  readonly clock: Clock;
  readonly random: Random;
}

export interface CacheFolderOptions extends CacheGeometry {
  /** Made if it is absent; one image, one folder. */
  readonly folder: string;
  /** 32 bytes that no other image content has. */
  readonly imageId: Buffer;
}

/** How long what was fetched may be known to this process only. */
const checkpointDelayMs = 2000;
const checkpointBytes = 64 * 1024 * 1024;

export const presenceName = "presence";
export const dataName = "data";

/**
 * A cache store that survives restarts. The bits on disk say only what was on disk before them: the data is synced,
 * then the bits are replaced as a whole. A record that is torn, or about another file, counts as empty. A second
 * opener is `lock-busy`.
 */
export function openCacheFolder(options: CacheFolderOptions, system: CacheFolderSystem): CacheStore {
  const { files, clock } = system;
  const granules = trackedGranules(options);
  const trackingBytes = options.trackingBytes ?? options.blockSizeBytes;
  files.makeFolder(options.folder, { mode: 0o700 });
  const dataPath = join(options.folder, dataName);
  const presencePath = join(options.folder, presenceName);
  const file = system.openSparseFile(dataPath, { mode: "create" });
  const subject = lockedAndMarked();
  const record = files.readIfExists(presencePath);
  const bits = createBlockBitset(
    granules,
    record === undefined ? undefined : parsePresenceRecord(record, subject),
  );

  let pendingBytes = 0;
  let checkpointing: Promise<void> | undefined;
  let syncFailed: unknown;
  const closed = new AbortController();

  function lockedAndMarked(): PresenceSubject {
    try {
      return { ...options, trackingBytes, dataFileId: claimDataFile(file, options, system.random) };
    } catch (error) {
      file.closeSync();
      throw error;
    }
  }

  function noteArrived(lengthBytes: number): void {
    const first = pendingBytes === 0;
    pendingBytes += lengthBytes;
    if (pendingBytes >= checkpointBytes) start();
    else if (first) {
      clock.sleep(checkpointDelayMs, closed.signal).then(start, () => undefined);
    }
  }

  function start(): void {
    if (checkpointing !== undefined || closed.signal.aborted || pendingBytes === 0) return;
    // on failure the bits on disk stay as they were, which is always safe; closing tries again and reports
    checkpointing = checkpoint()
      .catch(() => undefined)
      .finally(() => {
        checkpointing = undefined;
      });
  }

  async function checkpoint(): Promise<void> {
    // after a failed sync the kernel may have dropped the pages: nothing fetched since can be vouched for again
    if (syncFailed !== undefined) throw syncFailed;
    const words = bits.words.slice();
    const coveredBytes = pendingBytes;
    fault("cache:before-data-sync");
    await file.syncData().catch((error: unknown) => {
      syncFailed = error;
      throw error;
    });
    fault("cache:after-data-sync");
    await replacePresence(encodePresenceRecord({ ...subject, words }));
    fault("cache:after-presence");
    pendingBytes -= coveredBytes;
  }

  async function replacePresence(bytes: Buffer): Promise<void> {
    const temporaryPath = `${presencePath}.tmp`;
    const temporary = system.openSparseFile(temporaryPath, { mode: "create" });
    try {
      temporary.truncate(0);
      fault("cache:before-presence-write");
      await temporary.write(bytes, 0);
      await temporary.syncData();
    } finally {
      await temporary.close();
    }
    fault("cache:before-presence-rename");
    // not followed by a sync of the folder: the older record is as true as the newer, only shorter
    files.rename(temporaryPath, presencePath);
  }

  return {
    file,
    trackingBytes,
    bits,
    noteArrived,
    async close() {
      closed.abort(new Error("closed"));
      await checkpointing;
      try {
        if (pendingBytes > 0) await checkpoint();
      } finally {
        await file.close();
      }
    },
  };
}

/** Locks the file and answers its identity; one that was made for something else, or only half made, starts anew. */
function claimDataFile(file: SparseFile, options: CacheFolderOptions, random: Random): Buffer {
  if (!file.tryLock()) {
    throw new KeyframeError("lock-busy", `${options.folder} is in use by another process`, {
      hint: "stop the other server, or give this one a cache directory of its own with --cache",
    });
  }
  const end = markOffset(options.sizeBytes);
  if (file.sizeBytes() === end + markBytes) {
    const bytes = Buffer.alloc(markBytes);
    const mark = file.readSync(bytes, end) === markBytes ? parseDataFileMark(bytes) : undefined;
    if (mark?.imageId.equals(options.imageId) === true) return mark.dataFileId;
  }
  const dataFileId = random.bytes(16);
  file.truncate(0);
  file.truncate(end + markBytes);
  fault("cache:before-mark");
  file.writeSync(encodeDataFileMark({ imageId: options.imageId, dataFileId }), end);
  return dataFileId;
}
