import { KeyframeError } from "../../base/errors.ts";
import { fault } from "../../system/fault.ts";
import type { Files } from "../../system/files/files.ts";
import type { OpenSparseFile, SparseFile } from "../../system/files/sparse-file.ts";
import {
  encodeMapHeader,
  encodeMapRecord,
  type OverlayMapHeader,
  parseMapHeader,
  parseMapRecords,
  type StateRun,
} from "./map.ts";

export interface OverlayMapFile {
  /** The runs that were read at opening, in the order they were recorded. */
  readonly runs: readonly StateRun[];
  /** Bytes of an unfinished append that were dropped at opening. */
  readonly tornBytes: number;
  sizeBytes(): number;
  /** Resolves when the record is on the disk. After a failure the next append takes the same place. */
  append(runs: readonly StateRun[]): Promise<void>;
  /** Replaces the file by a header and one record: the old file or the new one survives a crash. */
  rewrite(header: OverlayMapHeader, runs: readonly StateRun[]): Promise<void>;
  close(): Promise<void>;
}

export interface OverlayMapSystem {
  readonly files: Files;
  readonly openSparseFile: OpenSparseFile;
}

/** Makes the file, durably, or reads what is there and refuses what was made over another image than `header` says. */
export function openOverlayMap(
  path: string,
  { header, create }: { readonly header: OverlayMapHeader; readonly create: boolean },
  { files, openSparseFile }: OverlayMapSystem,
): OverlayMapFile {
  if (create) files.replace(path, encodeMapHeader(header), { mode: 0o600 });
  const content = files.read(path);
  const read = parseMapHeader(content);
  checkSameParent(read, header);
  const records = parseMapRecords(content, Math.ceil(read.sizeBytes / read.blockSizeBytes));
  let file: SparseFile = openSparseFile(path, { mode: "write" });
  let endBytes = records.endBytes;
  let syncFailed: unknown;

  async function append(runs: readonly StateRun[]): Promise<void> {
    // after a failed sync nobody knows what of the record is on the disk
    if (syncFailed !== undefined) throw syncFailed;
    const record = encodeMapRecord(runs);
    fault("overlay:before-map-append");
    await file.write(record, endBytes);
    fault("overlay:after-map-append");
    await file.syncData().catch((error: unknown) => {
      syncFailed = error;
      throw error;
    });
    fault("overlay:after-map-sync");
    endBytes += record.length;
  }

  async function rewrite(newHeader: OverlayMapHeader, runs: readonly StateRun[]): Promise<void> {
    const record = runs.length === 0 ? Buffer.alloc(0) : encodeMapRecord(runs);
    const bytes = Buffer.concat([encodeMapHeader(newHeader), record]);
    fault("overlay:before-map-replace");
    files.replace(path, bytes, { mode: 0o600 });
    fault("overlay:after-map-replace");
    const old = file;
    file = openSparseFile(path, { mode: "write" });
    endBytes = bytes.length;
    await old.close();
  }

  return {
    runs: records.runs,
    tornBytes: records.tornBytes,
    sizeBytes: () => endBytes,
    append,
    rewrite,
    close: () => file.close(),
  };
}

function checkSameParent(map: OverlayMapHeader, wanted: OverlayMapHeader): void {
  const same =
    map.sizeBytes === wanted.sizeBytes &&
    map.blockSizeBytes === wanted.blockSizeBytes &&
    map.parentId.equals(wanted.parentId);
  if (same) return;
  throw new KeyframeError("refused", "this overlay was made over another image", {
    hint: "serve it over the image it was made for, or start a new overlay in another directory",
  });
}
