import { type JsonObject, jsonField, objectField } from "../../base/json.ts";
import { isPlainPath } from "../../base/path-text.ts";
import type { OwnerRun } from "../rules/owner-runs.ts";
import type { AuthorshipEntry, AuthorshipFile, FileOwners } from "./log.ts";

/*
 * The format has no spelling for a name with a newline or with bytes that are not UTF-8. Their lines stand in our part of
 * the metadata, where other readers skip them: `keyframe.files`, by name, `[first, last, key]` each. JSON has an escape for
 * every code unit, so that such names survive (src/base/path-text.ts).
 */

/** The metadata to write: with the files that have no spelling elsewhere. */
export function withOddFiles(metadata: JsonObject, files: readonly FileOwners[]): JsonObject {
  const odd = files.filter(({ path, runs }) => runs.length > 0 && isOdd(path));
  if (odd.length === 0) return metadata;
  const rows = odd.map(({ path, runs }) => [path, runs.map(({ first, last, key }) => [first, last, key])]);
  const extension = objectField(metadata, "keyframe") ?? {};
  return { ...metadata, keyframe: { ...extension, files: Object.fromEntries(rows) as JsonObject } };
}

/** Those files, and the metadata without them. */
export function readOddFiles(metadata: JsonObject): {
  readonly files: AuthorshipFile[];
  readonly metadata: JsonObject;
} {
  const extension = objectField(metadata, "keyframe");
  const rows = extension === undefined ? undefined : objectField(extension, "files");
  if (extension === undefined || rows === undefined) return { files: [], metadata };
  const files = Object.keys(rows)
    .filter(isOdd)
    .map((path) => ({ path, entries: readEntries(jsonField(rows, path)) }));
  const { files: _moved, ...rest } = extension;
  const { keyframe: _old, ...others } = metadata;
  return {
    files: files.filter(({ entries }) => entries.length > 0),
    metadata: Object.keys(rest).length === 0 ? others : { ...metadata, keyframe: rest },
  };
}

function isOdd(path: string): boolean {
  return path !== "" && (path.includes("\n") || !isPlainPath(path));
}

function readEntries(rows: unknown): AuthorshipEntry[] {
  if (!Array.isArray(rows)) return [];
  return rows.flatMap((row: unknown) => {
    const run = Array.isArray(row) ? readRun(row) : undefined;
    return run === undefined ? [] : [{ key: run.key, ranges: [{ first: run.first, last: run.last }] }];
  });
}

function readRun(row: readonly unknown[]): OwnerRun | undefined {
  const [first, last, key] = row;
  const isLine = (value: unknown): value is number =>
    typeof value === "number" && Number.isSafeInteger(value) && value >= 1 && value <= 0xffff_ffff;
  return isLine(first) && isLine(last) && last >= first && typeof key === "string"
    ? { first, last, key }
    : undefined;
}
