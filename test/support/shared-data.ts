import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";

/** Real data may lie in a folder beside the project; tests that need it are skipped where it does not. */
const folder = join(fileURLToPath(new URL("../../..", import.meta.url)), "shared", "data");

/** Absolute path of a file of real data, or undefined. */
export function sharedDataPath(name: string): string | undefined {
  const path = join(folder, name);
  return existsSync(path) ? path : undefined;
}

export interface RealNote {
  readonly commit: string;
  readonly note: string;
}

/** One real note of each version and shape, with names, paths, ids and words replaced. */
export const sampleNotesPath = fileURLToPath(new URL("../fixtures/notes.jsonl", import.meta.url));

/** Notes that git-ai wrote into real repositories, of all its versions. */
export function readRealNotes(path: string): RealNote[] {
  const bytes = readFileSync(path);
  const lines = (path.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as RealNote);
}
