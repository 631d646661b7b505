import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";

/**
 * More real data than the fixtures may lie beside the project, or where KEYFRAME_TEST_DATA says; tests that need it are
 * skipped where it does not. An empty KEYFRAME_TEST_DATA hides it: what a newcomer has.
 */
const beside = join(fileURLToPath(new URL("../../..", import.meta.url)), "shared", "data");
const directory = process.env["KEYFRAME_TEST_DATA"] ?? beside;

/** Absolute path of a file of real data, or undefined. */
export function sharedDataPath(name: string): string | undefined {
  if (directory === "") return undefined;
  const path = join(directory, name);
  return existsSync(path) ? path : undefined;
}

/** Path of real data in the project itself: small, with names, paths, ids and words replaced. */
export const fixturePath = (name: string): string =>
  fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));

export interface RealNote {
  readonly commit: string;
  readonly note: string;
}

/** One real note of each version and shape. */
export const sampleNotesPath = fixturePath("notes.jsonl");

/** Notes that git-ai wrote into real repositories, of all its versions. */
export function readRealNotes(path: string): RealNote[] {
  const bytes = readFileSync(path);
  const lines = (path.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as RealNote);
}
