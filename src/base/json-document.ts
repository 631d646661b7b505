import { KeyframeError } from "./errors.ts";

/**
 * JSON that survives a rewrite: objects are Maps (any key keeps its place, "1" and "__proto__" included) and numbers
 * that JavaScript would print otherwise keep their text. Of a repeated key the last value counts.
 */
export type JsonValue = null | boolean | string | number | RawNumber | JsonValue[] | JsonMap;
export type JsonMap = Map<string, JsonValue>;

/** A number by its text: `1.0`, `12345678901234567890`. */
export interface RawNumber {
  readonly raw: string;
}

/** Nesting beyond this is hostile: no writer goes past ten. */
const maxDepth = 100;

/** @throws KeyframeError `damaged` */
export function parseJsonDocument(text: string): JsonValue {
  const parser = { text, at: 0 };
  const value = parseValue(parser, 0);
  skipSpace(parser);
  if (parser.at !== text.length) throw broken(parser);
  return value;
}

interface Parser {
  readonly text: string;
  at: number;
}

const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids them unescaped
const string = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const space = /[ \t\n\r]*/y;
const word = /true|false|null/y;

function parseValue(parser: Parser, depth: number): JsonValue {
  if (depth > maxDepth) throw new KeyframeError("damaged", `JSON is nested deeper than ${maxDepth} levels`);
  skipSpace(parser);
  const char = parser.text[parser.at];
  if (char === "{") return parseObject(parser, depth);
  if (char === "[") return parseArray(parser, depth);
  if (char === '"') return parseString(parser);
  const literal = take(parser, word);
  if (literal !== undefined) return literal === "null" ? null : literal === "true";
  const raw = take(parser, number);
  if (raw === undefined) throw broken(parser);
  return String(Number(raw)) === raw ? Number(raw) : { raw };
}

function parseObject(parser: Parser, depth: number): JsonMap {
  const object: JsonMap = new Map();
  parser.at += 1;
  if (closes(parser, "}")) return object;
  for (;;) {
    skipSpace(parser);
    const key = parseString(parser);
    skipSpace(parser);
    if (parser.text[parser.at] !== ":") throw broken(parser);
    parser.at += 1;
    object.set(key, parseValue(parser, depth + 1));
    if (closes(parser, "}")) return object;
    comma(parser);
  }
}

function parseArray(parser: Parser, depth: number): JsonValue[] {
  const array: JsonValue[] = [];
  parser.at += 1;
  if (closes(parser, "]")) return array;
  for (;;) {
    array.push(parseValue(parser, depth + 1));
    if (closes(parser, "]")) return array;
    comma(parser);
  }
}

function parseString(parser: Parser): string {
  const raw = take(parser, string);
  if (raw === undefined) throw broken(parser);
  return JSON.parse(raw) as string;
}

function closes(parser: Parser, bracket: string): boolean {
  skipSpace(parser);
  if (parser.text[parser.at] !== bracket) return false;
  parser.at += 1;
  return true;
}

function comma(parser: Parser): void {
  if (parser.text[parser.at] !== ",") throw broken(parser);
  parser.at += 1;
}

function skipSpace(parser: Parser): void {
  take(parser, space);
}

function take(parser: Parser, pattern: RegExp): string | undefined {
  pattern.lastIndex = parser.at;
  const found = pattern.exec(parser.text)?.[0];
  if (found !== undefined) parser.at += found.length;
  return found;
}

function broken(parser: Parser): KeyframeError {
  return new KeyframeError("damaged", `not valid JSON at character ${parser.at}`);
}

/**
 * The bytes that Go's `json.MarshalIndent(value, "", "  ")` gives, without a final newline: two spaces, `[]` and `{}`
 * for what is empty, and `<`, `>`, `&`, U+2028, U+2029 escaped.
 */
export function encodeJsonDocument(value: JsonValue, indent = ""): string {
  const deeper = `${indent}  `;
  if (value instanceof Map) {
    if (value.size === 0) return "{}";
    const members = [...value].map(
      ([key, member]) => `${deeper}${encodeJsonString(key)}: ${encodeJsonDocument(member, deeper)}`,
    );
    return `{\n${members.join(",\n")}\n${indent}}`;
  }
  if (Array.isArray(value)) {
    if (value.length === 0) return "[]";
    const items = value.map((item) => `${deeper}${encodeJsonDocument(item, deeper)}`);
    return `[\n${items.join(",\n")}\n${indent}]`;
  }
  if (typeof value === "string") return encodeJsonString(value);
  if (value !== null && typeof value === "object") return value.raw;
  return JSON.stringify(value);
}

/** A plain JavaScript value on one line, escaped as Go escapes. */
export function encodeJsonLine(value: unknown): string {
  return escapeForHtml(JSON.stringify(value));
}

function encodeJsonString(text: string): string {
  return escapeForHtml(JSON.stringify(text));
}

function escapeForHtml(json: string): string {
  return json.replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
