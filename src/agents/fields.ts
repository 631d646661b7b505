import { isAbsolute, resolve } from "node:path";
import type { Buffers } from "./agent-event.ts";
import { maxNameLength, maxPathLength, maxPathsPerPayload } from "./limits.ts";

/** A JSON object of a payload. Field names are given in snake_case; camelCase spellings of them are found too. */
export type Fields = Readonly<Record<string, unknown>>;

export function asFields(value: unknown): Fields | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}

export function field(fields: Fields, name: string): unknown {
  if (Object.hasOwn(fields, name)) return fields[name];
  const camel = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return Object.hasOwn(fields, camel) ? fields[camel] : undefined;
}

/** A text field, trimmed; undefined if it is absent or blank. */
export function textField(fields: Fields, name: string): string | undefined {
  const value = field(fields, name);
  const text = typeof value === "string" ? value.trim() : "";
  return text === "" ? undefined : text;
}

/** An id, tool name or model: one short line without control characters; undefined otherwise. */
export function nameField(fields: Fields, name: string): string | undefined {
  return asName(field(fields, name));
}

export function asName(value: unknown): string | undefined {
  if (typeof value !== "string") return undefined;
  const text = value.trim();
  return text !== "" && text.length <= maxNameLength && !unprintable.test(text) ? text : undefined;
}

/** Control characters and separators of lines; spelled out, since classes of Unicode take a hook half a millisecond. */
const unprintable = /[^ -~\u00a0-\u2027\u202a-\uffff]/;

/** An absolute directory; undefined otherwise. */
export function folderField(fields: Fields, name: string): string | undefined {
  return asPath(field(fields, name));
}

/** An absolute path, also as a file:// URL; undefined otherwise. */
export function asPath(value: unknown): string | undefined {
  const text = typeof value === "string" ? fromFileUrl(value.trim()) : "";
  return isAbsolute(text) && isPathText(text) ? resolve(text) : undefined;
}

/**
 * Paths as a payload spells them (plain, or file:// URLs), joined to `cwd`, each once. Undefined if one cannot be a
 * path, or if they are too many.
 */
export function absolutePaths(value: unknown, cwd: string): string[] | undefined {
  if (!Array.isArray(value) || value.length > maxPathsPerPayload) return undefined;
  const paths = new Set<string>();
  for (const item of value) {
    if (typeof item !== "string" || !isPathText(item)) return undefined;
    paths.add(resolve(cwd, fromFileUrl(item)));
  }
  return [...paths];
}

/** A path -> text field (`dirty_files`). Undefined if it is present and not of that form. */
export function bufferField(
  fields: Fields,
  name: string,
  cwd: string,
): { readonly buffers?: Buffers } | undefined {
  const value = field(fields, name);
  if (value === undefined || value === null) return {};
  const entries = Object.entries(asFields(value) ?? { "": undefined });
  if (entries.length === 0) return {};
  const paths = absolutePaths(
    entries.map(([path]) => path),
    cwd,
  );
  if (paths?.length !== entries.length) return undefined;
  const buffers = new Map<string, string>();
  for (const [index, [, text]] of entries.entries()) {
    const path = paths[index];
    if (path === undefined || typeof text !== "string") return undefined;
    buffers.set(path, text);
  }
  return { buffers };
}

function isPathText(text: string): boolean {
  return text !== "" && text.length <= maxPathLength && !text.includes("\0");
}

function fromFileUrl(text: string): string {
  if (!text.startsWith("file://")) return text;
  const path = text.replace(/^file:\/\/(localhost)?/, "");
  try {
    return decodeURIComponent(path);
  } catch {
    return path; // not percent-encoded after all
  }
}
