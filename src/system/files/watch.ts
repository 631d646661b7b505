import { watch as watchDirectory } from "node:fs/promises";
import { errnoOf, toFileError } from "./files.ts";

/** Yields after each change of a directory's entries, at least a tenth of a second apart, until the signal. */
export async function* watch(directory: string, signal?: AbortSignal): AsyncGenerator<void> {
  try {
    let last = 0;
    for await (const _ of watchDirectory(directory, signal === undefined ? {} : { signal })) {
      const now = performance.now();
      if (now - last < 100) await new Promise((resolve) => setTimeout(resolve, 100));
      last = now;
      yield;
    }
  } catch (error) {
    if (signal?.aborted || errnoOf(error) === "ABORT_ERR") return;
    throw toFileError(error, directory, "watch");
  }
}
