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
import type { OwnerRuns } from "../rules/owner-runs.ts";
import { readLegacyLog } from "./legacy-log.ts";
import {
  type AuthorshipEntry,
  type AuthorshipLog,
  emptyAuthorshipLog,
  type LineRange,
  ownersByPath,
  schemaVersion,
} from "./log.ts";

/** Something in a note that could not be read; the rest of the note was. */
export interface Problem {
  readonly kind:
    | "no-divider"
    | "bad-metadata"
    | "bad-entry"
    | "bad-range"
    | "entry-without-path"
    | "not-utf8"
    | "foreign-schema"
    | "legacy-json";
  /** 1-based line of the note; absent where the whole note is meant. */
  readonly line?: number;
  readonly message: string;
}

export interface ParsedAuthorshipLog {
  readonly log: AuthorshipLog;
  /** At most `maxProblems`. */
  readonly problems: readonly Problem[];
  /**
   * False where writing the log back would lose what it says: a schema we do not know, the legacy JSON form, metadata
   * that is not readable. Such a note is read as far as possible and never rewritten.
   */
  readonly rewritable: boolean;
}

const maxProblems = 100;
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
  const problems: Problem[] = [];
  const report = (problem: Problem) => {
    if (problems.length < maxProblems) problems.push(problem);
  };
  if (!isUtf8(buffer)) report({ kind: "not-utf8", message: "the note is not UTF-8" });
  const { files, rest } = parseAttestations(text, report);
  const metadata = parseMetadata(rest, report);
  const unsafe = problems.some(({ kind }) =>
    ["no-divider", "bad-metadata", "not-utf8", "foreign-schema"].includes(kind),
  );
  return { log: { files, metadata }, problems, rewritable: !unsafe };
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
  return [...lines, "---", JSON.stringify(orderMetadata(log.metadata), null, 2)].join("\n");
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

/** False for the few names that the format has no spelling for. */
export function isWritablePath(path: string): boolean {
  return path !== "" && !path.includes("\n");
}

type Report = (problem: Problem) => void;

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
      report({ kind: "entry-without-path", line: number, message: "an entry stands before any path" });
    } else file.entries.push(entry);
  }
  report({ kind: "no-divider", message: "the note has no `---` line" });
  return { files: files.filter(hasEntries), rest: undefined };
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
