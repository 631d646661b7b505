import type { JsonObject } from "../../base/json.ts";
import { type LineRange, type OwnerRuns, runsOfClaims } from "../rules/owner-runs.ts";
import { resolveOwner } from "./owners.ts";

export type { LineRange } from "../rules/owner-runs.ts";

/** The content of one note: which lines of the commit's files belong to whom. docs/formats/authorship-log.md. */
export interface AuthorshipLog {
  readonly files: readonly AuthorshipFile[];
  readonly metadata: AuthorshipMetadata;
}

export interface AuthorshipFile {
  /** As written in the note, quotes removed. Never a path to open: it only names lines of the commit. */
  readonly path: string;
  readonly entries: readonly AuthorshipEntry[];
}

export interface AuthorshipEntry {
  readonly key: string;
  readonly ranges: readonly LineRange[];
}

/**
 * The note's JSON object as it was read: fields that we do not know stay in it and are written back. Read it through
 * `resolveOwner` and the functions of owners.ts.
 */
export type AuthorshipMetadata = JsonObject;

export const schemaVersion = "authorship/3.0.0";

export const emptyAuthorshipLog: AuthorshipLog = { files: [], metadata: {} };

/**
 * Who owns which line of a file: keys that the metadata does not explain are nobody; where several entries claim a
 * line the last one wins.
 */
export function ownersOfFile(file: AuthorshipFile, metadata: AuthorshipMetadata): OwnerRuns {
  const claims = file.entries.flatMap(({ key, ranges }) =>
    resolveOwner(metadata, key) === undefined ? [] : ranges.map(({ first, last }) => ({ first, last, key })),
  );
  return runsOfClaims(claims);
}

export interface FileOwners {
  /** As the log spells it. */
  readonly path: string;
  readonly runs: OwnerRuns;
}

/** Owners of all files by normalised path. A path that occurs twice is read as one file. */
export function ownersByPath(log: AuthorshipLog): ReadonlyMap<string, FileOwners> {
  const files = new Map<string, { readonly path: string; readonly entries: AuthorshipEntry[] }>();
  for (const { path, entries } of log.files) {
    const known = files.get(normalisePath(path));
    if (known === undefined) files.set(normalisePath(path), { path, entries: [...entries] });
    else for (const entry of entries) known.entries.push(entry);
  }
  return new Map(
    [...files].map(([key, file]) => [key, { path: file.path, runs: ownersOfFile(file, log.metadata) }]),
  );
}

/** Paths are compared composed (NFC): file systems and tools disagree on the spelling of accents. */
export function normalisePath(path: string): string {
  return path.normalize("NFC");
}
