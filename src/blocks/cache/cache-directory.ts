import { join } from "node:path";
import { KeyframeError } from "../../base/errors.ts";
import type { Clock } from "../../system/clock.ts";
import { fault } from "../../system/fault.ts";
import type { Files } from "../../system/files/files.ts";
import type { OpenSparseFile, SparseFile } from "../../system/files/sparse-file.ts";
import type { Random } from "../../system/random.ts";
import { type BlockBitset, createBlockBitset } from "../block-bitset.ts";
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
  /** Made if it is absent; one image, one directory. */
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
  system.files.makeFolder(options.folder, { mode: 0o700 });
  const file = system.openSparseFile(join(options.folder, dataName), { mode: "create" });
  try {
    const dataFileId = claimDataFile(file, options, system.random);
    const trackingBytes = options.trackingBytes ?? options.blockSizeBytes;
    return new CacheInDirectory(file, { ...options, trackingBytes, dataFileId }, { options, system });
  } catch (error) {
    file.closeSync();
    throw error;
  }
}

class CacheInDirectory implements CacheStore {
  readonly file: SparseFile;
  readonly trackingBytes: number;
  readonly bits: BlockBitset;
  readonly #system: CacheFolderSystem;
  readonly #subject: PresenceSubject;
  readonly #presencePath: string;
  readonly #closed = new AbortController();
  #pendingBytes = 0;
  #checkpointing: Promise<void> | undefined;
  #syncFailed: unknown;

  constructor(
    file: SparseFile,
    subject: PresenceSubject & { readonly trackingBytes: number },
    { options, system }: { readonly options: CacheFolderOptions; readonly system: CacheFolderSystem },
  ) {
    this.file = file;
    this.trackingBytes = subject.trackingBytes;
    this.#subject = subject;
    this.#system = system;
    this.#presencePath = join(options.folder, presenceName);
    const record = system.files.readIfExists(this.#presencePath);
    this.bits = createBlockBitset(
      trackedGranules(options),
      record === undefined ? undefined : parsePresenceRecord(record, subject),
    );
  }

  noteArrived(lengthBytes: number): void {
    const first = this.#pendingBytes === 0;
    this.#pendingBytes += lengthBytes;
    if (this.#pendingBytes >= checkpointBytes) this.#start();
    else if (first) {
      this.#system.clock.sleep(checkpointDelayMs, this.#closed.signal).then(
        () => this.#start(),
        () => undefined,
      );
    }
  }

  #start(): void {
    if (this.#checkpointing !== undefined || this.#closed.signal.aborted || this.#pendingBytes === 0) return;
    // on failure the bits on disk stay as they were, which is always safe; closing tries again and reports
    this.#checkpointing = this.#checkpoint()
      .catch(() => undefined)
      .finally(() => {
        this.#checkpointing = undefined;
      });
  }

  async #checkpoint(): Promise<void> {
    // after a failed sync the kernel may have dropped the pages: nothing fetched since can be vouched for again
    if (this.#syncFailed !== undefined) throw this.#syncFailed;
    const words = this.bits.words.slice();
    const coveredBytes = this.#pendingBytes;
    fault("cache:before-data-sync");
    await this.file.syncData().catch((error: unknown) => {
      this.#syncFailed = error;
      throw error;
    });
    fault("cache:after-data-sync");
    await this.#replacePresence(encodePresenceRecord({ ...this.#subject, words }));
    fault("cache:after-presence");
    this.#pendingBytes -= coveredBytes;
  }

  async #replacePresence(bytes: Buffer): Promise<void> {
    const temporaryPath = `${this.#presencePath}.tmp`;
    const temporary = this.#system.openSparseFile(temporaryPath, { mode: "create" });
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
    this.#system.files.rename(temporaryPath, this.#presencePath);
  }

  async close(): Promise<void> {
    this.#closed.abort(new Error("closed"));
    await this.#checkpointing;
    try {
      if (this.#pendingBytes > 0) await this.#checkpoint();
    } finally {
      await this.file.close();
    }
  }
}

/** Locks the file and returns its identity; one that was made for something else, or only half made, starts anew. */
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
