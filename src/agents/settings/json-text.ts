import { KeyframeError } from "../../base/errors.ts";

/**
 * A JSON text that people edit by hand, with the place of every value, so that one can be added or taken out while
 * all other bytes stay. Comments and trailing commas are allowed. Offsets are UTF-16 units.
 */
export type JsonNode = { readonly start: number; readonly end: number } & (
  | { readonly kind: "object"; readonly members: readonly JsonMember[] }
  | { readonly kind: "array"; readonly items: readonly JsonNode[] }
  | { readonly kind: "scalar"; readonly value: string | number | boolean | null }
);

export interface JsonMember {
  readonly key: string;
  /** Where the key's quote is. */
  readonly start: number;
  readonly value: JsonNode;
}

const maxDepth = 100;

/** @throws KeyframeError `invalid-input` with line and column */
export function parseJsonText(text: string): JsonNode {
  let at = text.startsWith("\ufeff") ? 1 : 0;

  function fail(what: string): never {
    const before = text.slice(0, at).split("\n");
    const column = (before.at(-1)?.length ?? 0) + 1;
    throw new KeyframeError("invalid-input", `${what} at line ${before.length}, column ${column}`);
  }

  function skipBlank(): void {
    at = endOfBlank(text, at);
  }

  function take(pattern: RegExp, what: string): string {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match === null) fail(`expected ${what}`);
    at = pattern.lastIndex;
    return match[0];
  }

  function takeString(): string {
    const raw = take(/"(?:[^"\\\n]|\\.)*"/y, "a string");
    try {
      return JSON.parse(raw) as string;
    } catch {
      at -= raw.length;
      return fail("a string is damaged");
    }
  }

  function takeList(close: "}" | "]", takeEntry: () => void): void {
    at += 1;
    skipBlank();
    while (text[at] !== close) {
      takeEntry();
      skipBlank();
      if (text[at] === ",") at += 1;
      else if (text[at] !== close) fail(`expected "," or "${close}"`);
      skipBlank();
    }
    at += 1;
  }

  function takeValue(depth: number): JsonNode {
    if (depth > maxDepth) fail("values are nested too deeply");
    skipBlank();
    const start = at;
    if (text[at] === "{") {
      const members: JsonMember[] = [];
      takeList("}", () => {
        const keyStart = at;
        const key = takeString();
        skipBlank();
        take(/:/y, '":"');
        members.push({ key, start: keyStart, value: takeValue(depth + 1) });
      });
      return { kind: "object", start, end: at, members };
    }
    if (text[at] === "[") {
      const items: JsonNode[] = [];
      takeList("]", () => items.push(takeValue(depth + 1)));
      return { kind: "array", start, end: at, items };
    }
    if (text[at] === '"') return { kind: "scalar", value: takeString(), start, end: at };
    const word = take(/true|false|null|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y, "a value");
    return { kind: "scalar", value: JSON.parse(word) as number | boolean | null, start, end: at };
  }

  const root = takeValue(0);
  skipBlank();
  if (at < text.length) fail("unexpected text");
  return root;
}

/** The plain value of a node. */
export function jsonValue(node: JsonNode): unknown {
  switch (node.kind) {
    case "object":
      return Object.fromEntries(node.members.map((member) => [member.key, jsonValue(member.value)]));
    case "array":
      return node.items.map(jsonValue);
    case "scalar":
      return node.value;
  }
}

export function jsonMember(node: JsonNode | undefined, key: string): JsonNode | undefined {
  return node?.kind === "object" ? node.members.findLast((member) => member.key === key)?.value : undefined;
}

type Container = Extract<JsonNode, { kind: "object" | "array" }>;

/** The text with a value added at the end of a container, laid out as its neighbours are. */
export function insertJson(
  text: string,
  container: Container,
  entry: { readonly key?: string; readonly value: unknown },
): string {
  const { indent, newline } = layoutOf(text);
  const outer = indentAt(text, container.start);
  const inner = outer + indent;
  const key = entry.key === undefined ? "" : `${JSON.stringify(entry.key)}: `;
  const value = JSON.stringify(entry.value, null, indent).replaceAll("\n", newline + inner);
  const last = entriesOf(container).at(-1);
  const at = last?.end ?? container.start + 1;
  const rest = text.slice(at);
  // a closing bracket on the same line moves to its own
  const closing = /^[ \t]*[}\]]/.test(rest) ? newline + outer + rest.trimStart() : rest;
  return `${text.slice(0, at)}${last === undefined ? "" : ","}${newline}${inner}${key}${value}${closing}`;
}

/** The text without the entry at `index` of the container and without its comma; comments stay. */
export function removeJson(text: string, container: Container, index: number): string {
  const entries = entriesOf(container);
  const entry = entries[index];
  if (entry === undefined) return text;
  const before = text.slice(0, entry.start);
  const commaEnd = endOfComma(text, entry.end);
  const rest = text.slice(commaEnd ?? entry.end);
  if (entries[index + 1] !== undefined) return before + rest.trimStart();
  const previous = entries[index - 1];
  const from = previous?.end ?? container.start + 1;
  const comma = previous === undefined ? undefined : endOfComma(text, previous.end);
  const between =
    comma === undefined
      ? text.slice(from, entry.start)
      : text.slice(from, comma - 1) + text.slice(comma, entry.start);
  // a line comment needs its line end
  const kept = between.includes("//") ? between : between.trimEnd();
  return text.slice(0, from) + kept + (previous === undefined && kept === "" ? rest.trimStart() : rest);
}

function entriesOf(container: Container): readonly { readonly start: number; readonly end: number }[] {
  if (container.kind === "array") return container.items;
  return container.members.map((member) => ({ start: member.start, end: member.value.end }));
}

/** Where the comma after `end` ends, comments skipped; undefined if there is none. */
function endOfComma(text: string, end: number): number | undefined {
  const at = endOfBlank(text, end);
  return text[at] === "," ? at + 1 : undefined;
}

/** The first place from `start` on that is neither blank nor in a comment. */
function endOfBlank(text: string, start: number): number {
  for (let at = start; ; ) {
    const next = text[at];
    if (next === " " || next === "\t" || next === "\r" || next === "\n") at += 1;
    else if (text.startsWith("//", at)) at = endOf(text, "\n", at);
    else if (text.startsWith("/*", at)) at = endOf(text, "*/", at + 2);
    else return at;
  }
}

function endOf(text: string, mark: string, from: number): number {
  const at = text.indexOf(mark, from);
  return at === -1 ? text.length : at + mark.length;
}

function indentAt(text: string, offset: number): string {
  const lineStart = text.lastIndexOf("\n", offset - 1) + 1;
  return /^[ \t]*/.exec(text.slice(lineStart, offset))?.[0] ?? "";
}

function layoutOf(text: string): { readonly indent: string; readonly newline: string } {
  return {
    indent: /^([ \t]+)\S/m.exec(text)?.[1] ?? "  ",
    newline: text.includes("\r\n") ? "\r\n" : "\n",
  };
}
