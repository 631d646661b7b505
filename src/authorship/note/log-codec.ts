import { isUtf8 } from "node:buffer";
import { asBuffer } from "../../base/bytes.ts";
import {
  isJsonObject,
  type Json,
  type JsonObject,
  nestsWithin,
  objectField,
  stringField,
} from "../../base/json.ts";
import { isPlainPath } from "../../base/path-text.ts";
import type { OwnerRuns } from "../rules/owner-runs.ts";
import { readLegacyLog } from "./legacy-log.ts";
import {
  type AuthorshipEntry,
  type AuthorshipFile,
  type AuthorshipLog,
  emptyAuthorshipLog,
  type LineRange,
  ownersByPath,
  schemaVersion,
} from "./log.ts";
import { readOddFiles, withOddFiles } from "./odd-files.ts";
import { withEvidenceOfEach, withSharedEvidence } from "./shared-evidence.ts";

/** Something in a note that could not be read; the rest of the note was. */
export interface NoteProblem {
  readonly kind:
    | "no-divider"
    | "bad-metadata"
    | "bad-entry"
    | "bad-range"
    | "entry-without-path"
    | "not-utf8"
    | "foreign-schema"
    | "legacy-json"
    | "glued"
    | "sorted";
  /** 1-based line of the note; absent where the whole note is meant. */
  readonly line?: number;
  readonly message: string;
}

export interface ParsedAuthorshipLog {
  readonly log: AuthorshipLog;
  /** At most `maxProblems`. */
  readonly problems: readonly NoteProblem[];
  /**
   * False where writing the log back would lose what it says: a schema we do not know, the legacy JSON form, metadata
   * that is not readable. Such a note is read as far as possible and never rewritten.
   */
  readonly rewritable: boolean;
  /**
   * Set where git glued several notes together (`notes.rewriteRef`): each part names lines of the commit that it was
   * written for, so that none of them says anything of this one. `log` then names no lines; see rewritten-notes.ts.
   */
  readonly parts?: readonly AuthorshipLog[];
}

const maxProblems = 100;
/** Notes in one glued note that are read. */
const maxGluedParts = 1000;
const maxLineNumber = 0xffff_ffff;
const maxMetadataDepth = 200;
const fieldOrder = ["schema_version", "git_ai_version", "base_commit_sha", "prompts", "humans", "sessions"];
const mapFields = ["prompts", "humans", "sessions"];

/** Reads a note of any version. Never throws; what cannot be read is a problem, and everything else is kept. */
export function parseAuthorshipLog(bytes: Uint8Array): ParsedAuthorshipLog {
  const buffer = asBuffer(bytes);
  const text = buffer.toString("utf8").replace(/^\ufeff/, "");
  if (text.trim() === "") return { log: emptyAuthorshipLog, problems: [], rewritable: true };
  if (text.trimStart().startsWith("{")) {
    const legacy = readLegacyLog(parseObject(text));
    if (legacy !== undefined) {
      const message = "the note is in the JSON form used before authorship/3";
      return { log: legacy, problems: [{ kind: "legacy-json", message }], rewritable: false };
    }
  }
  const glued = splitGluedNote(text);
  if (glued.length > 1) return readGlued(glued);
  if (isSorted(text)) return { log: emptyAuthorshipLog, problems: [sortedProblem], rewritable: false };
  const problems: NoteProblem[] = [];
  const report = (problem: NoteProblem) => {
    if (problems.length < maxProblems) problems.push(problem);
  };
  if (!isUtf8(buffer)) report({ kind: "not-utf8", message: "the note is not UTF-8" });
  const { files, rest } = parseAttestations(text, report);
  const metadata = parseMetadata(rest, report);
  const unsafe = problems.some(({ kind }) =>
    ["no-divider", "bad-metadata", "not-utf8", "foreign-schema"].includes(kind),
  );
  const odd = readOddFiles(metadata);
  const all = [...files, ...odd.files];
  return {
    log: { files: all, metadata: withEvidenceOfEach(odd.metadata, keysOf(all)) },
    problems,
    rewritable: !unsafe,
  };
}

/** True if the bytes may hold more than one note: a whole line `---` is always a divider. */
export function looksGlued(note: Buffer | string): boolean {
  const first = note.indexOf("---\n");
  return first !== -1 && note.indexOf("\n---\n", first + 1) !== -1;
}

/** The texts of notes that were put one after another; the whole text where it is one note. */
function splitGluedNote(text: string): string[] {
  const parts: string[] = [];
  const isGlued = looksGlued(text);
  for (let rest = text; isGlued && parts.length < maxGluedParts; ) {
    const divider = /^---[ \t\r]*$/m.exec(rest);
    // the object ends at a brace in the first column, which no line of an indented one starts with
    const end = divider === null ? null : /^\}[ \t\r]*(?:\n|$)/m.exec(rest.slice(divider.index));
    if (divider === null || end === null) return [text];
    const length = divider.index + end.index + end[0].length;
    parts.push(rest.slice(0, length));
    rest = rest.slice(length);
    if (rest.trim() === "") return parts;
  }
  return [text];
}

const sortedProblem: NoteProblem = {
  kind: "sorted",
  message:
    "git sorted the lines of several notes (notes.rewriteMode is cat_sort_uniq): none of it can be read",
};

/** What `cat_sort_uniq` leaves: the divider before the braces, and the indented lines before both. */
function isSorted(text: string): boolean {
  if (!text.trimEnd().endsWith("\n{\n}")) return false;
  const lines = text.trimEnd().split("\n");
  return (
    lines.length > 4 &&
    lines.every((line, index) => index === 0 || compareBytes(lines[index - 1] ?? "", line) < 0)
  );
}

function readGlued(texts: readonly string[]): ParsedAuthorshipLog {
  const parts = texts.map((part) => parseAuthorshipLog(Buffer.from(part)));
  const problems = parts.flatMap((part) => part.problems);
  const message = `git glued ${parts.length} notes together when it rewrote commits (notes.rewriteRef)`;
  return {
    log: { files: [], metadata: parts[0]?.log.metadata ?? {} },
    problems: [{ kind: "glued" as const, message }, ...problems].slice(0, maxProblems),
    rewritable: false,
    parts: parts.map(({ log }) => log),
  };
}

/**
 * The canonical text: files, entries and ranges sorted, touching ranges joined, every line once, only keys that the
 * metadata explains, no newline at the end. Two logs with the same meaning give the same text. A path that holds a
 * newline cannot be written in this format and is left out (`isWritablePath`).
 */
export function encodeAuthorshipLog(log: AuthorshipLog): string {
  const lines: string[] = [];
  const files = [...ownersByPath(log)].sort(([a], [b]) => compareBytes(a, b));
  for (const [, { path, runs }] of files) {
    if (runs.length === 0 || !isWritablePath(path)) continue;
    lines.push(quotePath(path));
    for (const { key, ranges } of entriesOfRuns(runs)) lines.push(`  ${key} ${encodeRanges(ranges)}`);
  }
  const owned = files.map(([, file]) => file);
  const keys = new Set(owned.flatMap(({ runs }) => runs.map(({ key }) => key)));
  const metadata = withOddFiles(withSharedEvidence(log.metadata, keys), owned);
  return [...lines, "---", JSON.stringify(orderMetadata(metadata), null, 2)].join("\n");
}

/** One sorted entry per key. */
export function entriesOfRuns(runs: OwnerRuns): AuthorshipEntry[] {
  const byKey = new Map<string, LineRange[]>();
  for (const { key, first, last } of runs) {
    const ranges = byKey.get(key);
    if (ranges === undefined) byKey.set(key, [{ first, last }]);
    else ranges.push({ first, last });
  }
  return [...byKey].sort(([a], [b]) => compareBytes(a, b)).map(([key, ranges]) => ({ key, ranges }));
}

/** False for the few names that the format has no spelling for: they stand in our part of the metadata. */
export function isWritablePath(path: string): boolean {
  return path !== "" && !path.includes("\n") && isPlainPath(path);
}

type Report = (problem: NoteProblem) => void;

interface OpenFile {
  readonly path: string;
  readonly entries: AuthorshipEntry[];
}

function parseAttestations(text: string, report: Report): { files: OpenFile[]; rest: string | undefined } {
  const files: OpenFile[] = [];
  let file: OpenFile | undefined;
  let number = 0;
  for (let start = 0; start < text.length; ) {
    const found = text.indexOf("\n", start);
    const end = found === -1 ? text.length : found;
    const line = text.slice(start, end).trimEnd();
    start = end + 1;
    number += 1;
    if (line === "---") return { files: files.filter(hasEntries), rest: text.slice(start) };
    if (line === "") continue;
    if (!line.startsWith("  ")) {
      file = { path: unquote(line), entries: [] };
      files.push(file);
      continue;
    }
    const entry = parseEntry(line, number, report);
    if (entry === undefined) continue;
    if (file === undefined) {
      report({ kind: "entry-without-path", line: number, message: "an entry comes before any path" });
    } else file.entries.push(entry);
  }
  report({ kind: "no-divider", message: "the note has no `---` line" });
  return { files: files.filter(hasEntries), rest: undefined };
}

function* keysOf(files: readonly AuthorshipFile[]): Generator<string> {
  for (const { entries } of files) for (const { key } of entries) yield key;
}

function hasEntries(file: OpenFile): boolean {
  return file.entries.length > 0;
}

function parseEntry(line: string, number: number, report: Report): AuthorshipEntry | undefined {
  const body = line.slice(2);
  const space = body.indexOf(" ");
  if (space <= 0) {
    report({ kind: "bad-entry", line: number, message: "an entry needs a key, a space and ranges" });
    return undefined;
  }
  const ranges: LineRange[] = [];
  for (const piece of body.slice(space + 1).split(",")) {
    const range = parseRange(piece.trim());
    if (range !== undefined) ranges.push(range);
    else {
      const shown = JSON.stringify(piece.slice(0, 40));
      report({ kind: "bad-range", line: number, message: `${shown} is not a range of lines` });
    }
  }
  return ranges.length === 0 ? undefined : { key: body.slice(0, space), ranges };
}

function parseRange(text: string): LineRange | undefined {
  const match = /^(\d{1,10})(?:-(\d{1,10}))?$/.exec(text);
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = match[2] === undefined ? first : Number(match[2]);
  return first >= 1 && last >= first && last <= maxLineNumber ? { first, last } : undefined;
}

function parseMetadata(text: string | undefined, report: Report): JsonObject {
  if (text === undefined) return {};
  const metadata = parseObject(text);
  if (metadata === undefined) {
    report({ kind: "bad-metadata", message: "the text after `---` is not a JSON object" });
    return {};
  }
  for (const field of mapFields) {
    if (Object.hasOwn(metadata, field) && objectField(metadata, field) === undefined) {
      report({ kind: "bad-metadata", message: `the field ${field} is not an object` });
    }
  }
  const schema = stringField(metadata, "schema_version");
  if (schema !== undefined && !/^authorship\/3(\.|$)/.test(schema)) {
    const shown = JSON.stringify(schema.slice(0, 40));
    report({ kind: "foreign-schema", message: `the note has schema ${shown}, not ${schemaVersion}` });
  }
  return metadata;
}

function parseObject(text: string): JsonObject | undefined {
  try {
    const value = JSON.parse(text) as Json;
    return isJsonObject(value) && nestsWithin(value, maxMetadataDepth) ? value : undefined;
  } catch {
    return undefined; // the caller reports it as a problem of the note
  }
}

function orderMetadata(metadata: JsonObject): JsonObject {
  const fields = new Map<string, Json>(
    Object.entries({ schema_version: schemaVersion, prompts: {}, ...metadata }),
  );
  for (const name of mapFields) {
    const map = objectField(metadata, name);
    if (map !== undefined) fields.set(name, sortFields(map));
    if (name !== "prompts" && map !== undefined && Object.keys(map).length === 0) fields.delete(name);
  }
  const known = fieldOrder.flatMap((name) => {
    const value = fields.get(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries([...known, ...[...fields].filter(([name]) => !fieldOrder.includes(name))]);
}

function sortFields(map: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => compareBytes(a, b)));
}

function encodeRanges(ranges: readonly LineRange[]): string {
  return ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`)).join(",");
}

/** Quotes hide what would be read as something else: an indent, a divider, trailing space, other quotes. */
function quotePath(path: string): string {
  const ambiguous = /[ \t]|\s$|^\ufeff/.test(path) || path === "---" || unquote(path) !== path;
  return ambiguous ? `"${path}"` : path;
}

function unquote(text: string): string {
  return text.length >= 2 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text;
}

function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
