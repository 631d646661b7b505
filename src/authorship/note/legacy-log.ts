import { sha256Hex } from "../../base/digest.ts";
import {
  isJsonObject,
  type Json,
  type JsonObject,
  jsonField,
  objectField,
  stringField,
} from "../../base/json.ts";
import type { AuthorshipEntry, AuthorshipFile, AuthorshipLog, LineRange } from "./log.ts";

/**
 * The form of 2025 (`authorship/0.0.1`, blobs under `refs/ai/authorship/<commit>`), as a log:
 * `{files: {<path>: {authors: [{author, lines: [n | [a, b]], agent_metadata?}]}}}`.
 * Only authors with agent metadata become claims: the others were not observed, they were what was left over.
 * Undefined if the object does not have that form.
 */
export function readLegacyLog(root: JsonObject | undefined): AuthorshipLog | undefined {
  const sourceFiles = root === undefined ? undefined : objectField(root, "files");
  if (root === undefined || sourceFiles === undefined) return undefined;
  const prompts = new Map<string, JsonObject>();
  const files: AuthorshipFile[] = [];
  for (const [path, value] of Object.entries(sourceFiles)) {
    const authors = isJsonObject(value) ? jsonField(value, "authors") : undefined;
    if (!Array.isArray(authors)) continue;
    const entries = authors.flatMap((author: Json) => readAuthor(author, prompts));
    if (entries.length > 0) files.push({ path, entries });
  }
  return {
    files,
    metadata: {
      schema_version: stringField(root, "schema_version") ?? "authorship/0.0.1",
      prompts: Object.fromEntries(prompts),
    },
  };
}

function readAuthor(author: Json, prompts: Map<string, JsonObject>): AuthorshipEntry[] {
  if (!isJsonObject(author)) return [];
  const agent = objectField(author, "agent_metadata");
  const lines = jsonField(author, "lines");
  if (agent === undefined || !Array.isArray(lines)) return [];
  const tool = stringField(agent, "tool") ?? stringField(author, "author");
  if (tool === undefined || tool === "") return [];
  const id = stringField(agent, "id") ?? stringField(agent, "session_id") ?? "";
  const key = sha256Hex(`${tool}:${id}`).slice(0, 16);
  prompts.set(key, { agent_id: { tool, id, model: stringField(agent, "model") ?? "unknown" } });
  const ranges = lines.flatMap(readRange);
  return ranges.length === 0 ? [] : [{ key, ranges }];
}

function readRange(value: Json): LineRange[] {
  const [first, last] = Array.isArray(value) ? value : [value, value];
  const valid =
    Number.isInteger(first) && Number.isInteger(last) && Number(first) >= 1 && Number(last) >= Number(first);
  return valid ? [{ first: Number(first), last: Number(last) }] : [];
}
