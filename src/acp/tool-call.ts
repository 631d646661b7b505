import { isAbsolute, resolve } from "node:path";
import { isJsonObject, type JsonObject, jsonField, objectField, stringField } from "../base/json.ts";

/** What a tool call may do to files, by what the agent says of it. */
export type CallClass = "reads" | "edits" | "may write";

/** One call of an agent's tool, as its messages have described it so far. */
export interface ToolCallState {
  readonly id: string;
  readonly title: string;
  readonly kind: string;
  readonly status: string;
  /** Absolute paths that the call names as what it changes. */
  readonly paths: readonly string[];
  readonly diffs: readonly ToolDiff[];
  readonly command: string | undefined;
}

/** A change as the agent shows it: of a whole file or of a part, agents differ. Null: the file did not exist. */
export interface ToolDiff {
  readonly path: string;
  readonly oldText: string | null;
  readonly newText: string;
}

const readingKinds = new Set(["read", "search", "think", "fetch"]);
const editingKinds = new Set(["edit", "delete", "move"]);
const maxPaths = 1000;

export function emptyCall(id: string): ToolCallState {
  return { id, title: "", kind: "", status: "", paths: [], diffs: [], command: undefined };
}

/** The call with what one more message says of it. `cwd`: what relative paths start from. */
export function mergeCall(call: ToolCallState, update: JsonObject, cwd: string): ToolCallState {
  const input = objectField(update, "rawInput");
  const diffs = diffsOf(update, cwd);
  const named = [...locationsOf(update, cwd), ...diffs.map(({ path }) => path), ...inputPaths(input, cwd)];
  return {
    ...call,
    title: stringField(update, "title") ?? call.title,
    kind: stringField(update, "kind") ?? call.kind,
    status: stringField(update, "status") ?? call.status,
    paths: [...new Set([...call.paths, ...named])].slice(0, maxPaths),
    diffs: diffs.length > 0 ? diffs : call.diffs,
    command: (input && stringField(input, "command")) ?? call.command,
  };
}

export function classOf({ kind }: ToolCallState): CallClass {
  if (readingKinds.has(kind)) return "reads";
  return editingKinds.has(kind) ? "edits" : "may write";
}

/**
 * What a file held before a call, computed back from what it holds now and the agent's diff; undefined if the diff does
 * not fit the file in exactly one way. For calls that nothing was seen of before they were over.
 */
export function originalOf(now: string | undefined, diffs: readonly ToolDiff[]): string | null | undefined {
  const [diff, more] = diffs;
  if (diff === undefined || more !== undefined || now === undefined) return undefined;
  const { oldText, newText } = diff;
  if (newText === now) return oldText === "" ? null : oldText;
  if (oldText === null || newText === "") return undefined;
  const at = now.indexOf(newText);
  if (at === -1 || now.includes(newText, at + 1)) return undefined;
  return now.slice(0, at) + oldText + now.slice(at + newText.length);
}

function locationsOf(update: JsonObject, cwd: string): string[] {
  return listOf(update, "locations").flatMap((location) => pathIn(location, "path", cwd));
}

function diffsOf(update: JsonObject, cwd: string): ToolDiff[] {
  return listOf(update, "content").flatMap((item) => {
    const newText = stringField(item, "newText");
    const [path] = pathIn(item, "path", cwd);
    if (stringField(item, "type") !== "diff" || newText === undefined || path === undefined) return [];
    return [{ path, oldText: stringField(item, "oldText") ?? null, newText }];
  });
}

function inputPaths(input: JsonObject | undefined, cwd: string): string[] {
  if (input === undefined) return [];
  return ["file_path", "filePath", "path", "abs_path"].flatMap((name) => pathIn(input, name, cwd));
}

function pathIn(object: JsonObject, name: string, cwd: string): string[] {
  const path = stringField(object, name);
  if (path === undefined || path === "" || path.includes("\0")) return [];
  return [isAbsolute(path) ? path : resolve(cwd, path)];
}

function listOf(object: JsonObject, name: string): JsonObject[] {
  const value = jsonField(object, name);
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}
