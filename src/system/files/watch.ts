import { watch as watchDirectory } from "node:fs/promises";
import { toFileError } from "./files.ts";

/** Yields after each change of a directory's entries, at least a tenth of a second apart. */
export async function* watch(directory: string): AsyncGenerator<void> {
  try {
    let last = 0;
    for await (const _ of watchDirectory(directory)) {
      const now = performance.now();
      if (now - last < 100) await new Promise((resolve) => setTimeout(resolve, 100));
      last = now;
      yield;
    }
  } catch (error) {
    throw toFileError(error, directory, "watch");
  }
}
