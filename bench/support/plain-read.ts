import { fileURLToPath } from "node:url";
import type { Command } from "./pairs.ts";

const script = fileURLToPath(new URL("plain-read.cjs", import.meta.url));

/** Bare Node and two gits that read the trees of a repository's v1 store and the objects that a file names, one a line. */
export function plainRead(repository: string, objects: string): Command {
  return {
    program: process.execPath,
    args: [script, repository, "entire/checkpoints/v1", objects],
    cwd: repository,
  };
}
