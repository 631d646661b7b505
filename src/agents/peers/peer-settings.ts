import { KeyframeError } from "../../base/errors.ts";
import { asFields } from "../fields.ts";
import {
  insertJson,
  type JsonMember,
  type JsonNode,
  jsonMember,
  jsonValue,
  parseJsonText,
  removeJson,
} from "../settings/json-text.ts";

type JsonObject = Extract<JsonNode, { kind: "object" }>;

/** The settings of another tool as a JSON object. @throws KeyframeError `invalid-input` */
export function mustBeSettings(text: string): JsonObject {
  const root = parseJsonText(text);
  if (root.kind === "object") return root;
  throw new KeyframeError("invalid-input", "the settings are not a JSON object");
}

/** The settings as plain fields; undefined where there are none, or they cannot be read. */
export function readSettings(text: string | undefined): Readonly<Record<string, unknown>> | undefined {
  if (text === undefined || text.trim() === "") return undefined;
  try {
    return asFields(jsonValue(mustBeSettings(text)));
  } catch {
    return undefined; // damaged: whoever edits it is told so
  }
}

/** The text with one member set; all other bytes stay. */
export function setSetting(text: string | undefined, key: string, value: unknown): string {
  const start = text === undefined || text.trim() === "" ? "{}\n" : text;
  const root = mustBeSettings(start);
  const found = jsonMember(root, key);
  if (found === undefined) return insertJson(start, root, { key, value });
  return start.slice(0, found.start) + JSON.stringify(value) + start.slice(found.end);
}

/** The text with one member as it is in `original`: with the same bytes, or gone. */
export function resetSetting(text: string, key: string, original: string | undefined): string {
  const root = mustBeSettings(text);
  const at = root.members.findLastIndex((member) => member.key === key);
  const member: JsonMember | undefined = root.members[at];
  if (member === undefined) return text;
  const before = sourceOf(original, key);
  if (before === undefined) return removeJson(text, root, at);
  return text.slice(0, member.value.start) + before + text.slice(member.value.end);
}

function sourceOf(text: string | undefined, key: string): string | undefined {
  if (text === undefined || readSettings(text)?.[key] === undefined) return undefined;
  const value = jsonMember(mustBeSettings(text), key);
  return value === undefined ? undefined : text.slice(value.start, value.end);
}
