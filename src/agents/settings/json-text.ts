import {
  createScanner,
  type Node,
  type ParseError,
  type ParseErrorCode,
  parseTree,
  printParseErrorCode,
} from "jsonc-parser";
import { must } from "../../base/assert.ts";
import { KeyframeError } from "../../base/errors.ts";

/**
 * A JSON text that people edit by hand, with the place of every value, so that one can be added or taken out while
 * all other bytes stay. Comments and trailing commas are allowed. Offsets are UTF-16 units. `jsonc-parser` reads it; its
 * edits are not used, because removing what was added must give back every byte and keep comments.
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

/** The object that a settings file is. @throws KeyframeError `invalid-input` for any other text */
export function mustJsonObject(text: string): Extract<JsonNode, { kind: "object" }> {
  const root = parseJsonText(text);
  if (root.kind === "object") return root;
  throw new KeyframeError("invalid-input", "the settings are not a JSON object");
}

const maxDepth = 100;

/** @throws KeyframeError `invalid-input` with line and column */
export function parseJsonText(text: string): JsonNode {
  // a byte order mark is blank, and must not move what comes after it
  const json = text.replace(/^\ufeff/, " ");
  mustBeShallow(json);
  const errors: ParseError[] = [];
  const root = parseTree(json, errors, { allowTrailingComma: true });
  const [error] = errors;
  if (error !== undefined) throw damaged(text, describeParseError(error.error), error.offset);
  if (root === undefined) throw damaged(text, "expected a value", text.length);
  return describeNode(root);
}

/** The parser calls itself for each level: hostile nesting ends before it. */
function mustBeShallow(text: string): void {
  const scanner = createScanner(text, true);
  let depth = 0;
  // behind an unfinished comment the scanner is past the end for good
  for (scanner.scan(); scanner.getTokenOffset() < text.length; scanner.scan()) {
    const first = text[scanner.getTokenOffset()];
    if (first === "{" || first === "[") depth += 1;
    if (first === "}" || first === "]") depth -= 1;
    if (depth > maxDepth) throw damaged(text, "values are nested too deeply", scanner.getTokenOffset());
  }
}

function damaged(text: string, what: string, offset: number): KeyframeError {
  const before = text.slice(0, offset).split("\n");
  const column = (before.at(-1)?.length ?? 0) + 1;
  return new KeyframeError("invalid-input", `${what} at line ${before.length}, column ${column}`);
}

/** `CommaExpected` becomes "expected a comma". */
function describeParseError(error: ParseErrorCode): string {
  const name = printParseErrorCode(error);
  if (name === "EndOfFileExpected") return "unexpected text";
  const words = name.replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter}`).toLowerCase();
  return words.replace(/^(.*) expected$/, "expected a $1");
}

function describeNode(node: Node): JsonNode {
  const place = { start: node.offset, end: node.offset + node.length };
  if (node.type === "object") {
    const members = (node.children ?? []).map(({ offset, children }) => {
      const [key, value] = children ?? [];
      const found = must(value, "a member without an error has a value");
      return { key: String(key?.value), start: offset, value: describeNode(found) };
    });
    return { kind: "object", ...place, members };
  }
  if (node.type === "array")
    return { kind: "array", ...place, items: (node.children ?? []).map(describeNode) };
  return { kind: "scalar", ...place, value: node.value as string | number | boolean | null };
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
  const scanner = createScanner(text, true);
  scanner.setPosition(end);
  scanner.scan();
  return text[scanner.getTokenOffset()] === "," ? scanner.getPosition() : undefined;
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
