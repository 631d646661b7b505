import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { KeyframeError } from "../../base/errors.ts";
import { toFileError } from "./files.ts";

/** A large file, read and written by position. Offsets and sizes are bytes. */
export interface DataFile {
  readonly descriptor: number;
  sizeBytes(): number;
  /** Fills `into`; `damaged` if the file ends before. */
  read(offset: number, into: Uint8Array): void;
  write(offset: number, content: Uint8Array): void;
  /** Sets the size: what is added is a hole of zeros. */
  resize(sizeBytes: number): void;
  /** Waits until content and size are on the disk. */
  sync(): void;
  close(): void;
}

/** `create` fails if the file exists. Private to the user. */
export function openDataFile(path: string, mode: "read" | "change" | "create"): DataFile {
  const flags = { read: "r", change: "r+", create: "wx+" }[mode];
  const descriptor = translated(path, mode === "create" ? "create" : "open", () =>
    openSync(path, flags, 0o600),
  );
  return {
    descriptor,
    sizeBytes: () => fstatSync(descriptor).size,
    read(offset, into) {
      translated(path, "read", () => {
        for (let done = 0; done < into.length; ) {
          const count = readSync(descriptor, into, done, into.length - done, offset + done);
          if (count === 0)
            throw new KeyframeError("damaged", `${path} ends before byte ${offset + into.length}`);
          done += count;
        }
      });
    },
    write(offset, content) {
      translated(path, "write", () => {
        for (let done = 0; done < content.length; ) {
          done += writeSync(descriptor, content, done, content.length - done, offset + done);
        }
      });
    },
    resize: (sizeBytes) => translated(path, "resize", () => ftruncateSync(descriptor, sizeBytes)),
    sync: () => translated(path, "write", () => fsyncSync(descriptor)),
    close: () => closeSync(descriptor),
  };
}

function translated<T>(path: string, verb: string, operation: () => T): T {
  try {
    return operation();
  } catch (error) {
    throw toFileError(error, path, verb);
  }
}
