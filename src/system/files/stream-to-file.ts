import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { fault } from "../fault.ts";
import { syncFolder, temporaryPathFor, toFileError } from "./files.ts";

/** Writes a file from pieces that may be too large to hold, so that the path has all of them or what it had before. */
export type StreamToFile = (
  path: string,
  pieces: AsyncIterable<Uint8Array>,
  options: { readonly mode: number },
) => Promise<void>;

/** Temporary file beside it, fsync, rename, fsync of the directory. @throws KeyframeError as of `Files` */
export const nodeStreamToFile: StreamToFile = async (path, pieces, { mode }) => {
  const temporary = temporaryPathFor(path);
  try {
    const descriptor = openSync(temporary, "wx", mode);
    try {
      for await (const piece of pieces) {
        for (let written = 0; written < piece.length; ) written += writeSync(descriptor, piece, written);
      }
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    fault("resume:before-rename");
    renameSync(temporary, path);
    syncFolder(dirname(path));
  } catch (error) {
    rmSync(temporary, { force: true });
    throw toFileError(error, path, "write");
  }
};
