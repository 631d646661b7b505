import { isDeepStrictEqual } from "node:util";
import { KeyframeError } from "../../base/errors.ts";
import { asFields } from "../fields.ts";
import { isHookCommand } from "./agent-program.ts";
import { insertJson, type JsonNode, jsonMember, jsonValue, mustJsonObject, removeJson } from "./json-text.ts";

/** How an agent lists hooks in a JSON file: `{"hooks": {"<event>": [<entry>, ...]}}`. */
export interface JsonHookShape {
  readonly agent: string;
  readonly events: readonly string[];
  /** The entry for an event: a group with a `hooks` list of its own, or one command. */
  readonly entryOf: (event: string) => unknown;
  /** What such a file must hold besides, if it is not there: `version`. */
  readonly top?: Readonly<Record<string, unknown>>;
}

/** Where an entry holds its command. */
const commandFields = ["command", "bash"];

/**
 * The settings with Keyframe's hooks in them, each once and in its present form. Everything else keeps its bytes. `text`
 * undefined: there are no settings yet. @throws KeyframeError `invalid-input`, `refused`
 */
export function addJsonHooks(text: string | undefined, shape: JsonHookShape): string {
  let result = addTop(text ?? "{}\n", shape);
  for (const event of shape.events) {
    const entry = shape.entryOf(event);
    if (isDeepStrictEqual(ourEntries(result, event, shape.agent), [entry])) continue;
    result = appendEntry(removeFromEvent(result, event, shape.agent), event, entry);
  }
  return result;
}

/** The settings without Keyframe's hooks, and without the lists that this leaves empty. */
export function removeJsonHooks(
  text: string,
  { agent, top = {} }: Pick<JsonHookShape, "agent" | "top">,
): string {
  const hooks = jsonMember(mustJsonObject(text), "hooks");
  if (hooks?.kind !== "object") return text;
  // older versions may have listened to other events
  const events = new Set(hooks.members.map((member) => member.key));
  const result = [...events].reduce((left, event) => removeFromEvent(left, event, agent), text);
  if (result === text) return text;
  return removeTop(removeEmptyMember(result, [], "hooks"), top);
}

/** The commands of Keyframe's hooks in the settings, each once. */
export function jsonHookCommands(text: string, agent: string): string[] {
  const commands = new Set<string>();
  const hooks = asFields(jsonValue(mustJsonObject(text)))?.["hooks"];
  for (const entries of Object.values(asFields(hooks) ?? {})) {
    for (const entry of Array.isArray(entries) ? entries : []) {
      for (const hook of [entry, ...listOf(asFields(entry)?.["hooks"])]) {
        const command = commandOf(hook);
        if (command !== undefined && isHookCommand(command, agent)) commands.add(command);
      }
    }
  }
  return [...commands];
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function commandOf(hook: unknown): string | undefined {
  return commandFields.map((name) => asFields(hook)?.[name]).find((value) => typeof value === "string");
}

function addTop(text: string, { top = {} }: JsonHookShape): string {
  let result = text;
  for (const [key, value] of Object.entries(top)) {
    const root = mustJsonObject(result);
    if (jsonMember(root, key) === undefined) result = insertJson(result, root, { key, value });
  }
  return result;
}

/** What such a file must hold is of no use where nothing else is left. */
function removeTop(text: string, top: Readonly<Record<string, unknown>>): string {
  return isDeepStrictEqual(jsonValue(mustJsonObject(text)), top)
    ? Object.keys(top).reduce((left) => removeJson(left, mustJsonObject(left), 0), text)
    : text;
}

function ourEntries(text: string, event: string, agent: string): unknown[] {
  const list = jsonMember(jsonMember(mustJsonObject(text), "hooks"), event);
  return list?.kind === "array" ? list.items.filter((item) => holdsOurs(item, agent)).map(jsonValue) : [];
}

function holdsOurs(entry: JsonNode, agent: string): boolean {
  if (isOurs(entry, agent)) return true;
  const hooks = jsonMember(entry, "hooks");
  return hooks?.kind === "array" && hooks.items.some((hook) => isOurs(hook, agent));
}

function isOurs(hook: JsonNode, agent: string): boolean {
  const command = commandOf(jsonValue(hook));
  return command !== undefined && isHookCommand(command, agent);
}

function appendEntry(text: string, event: string, entry: unknown): string {
  const root = mustJsonObject(text);
  const hooks = jsonMember(root, "hooks");
  if (hooks === undefined) return insertJson(text, root, { key: "hooks", value: { [event]: [entry] } });
  if (hooks.kind !== "object") throw new KeyframeError("refused", `"hooks" in the settings is not an object`);
  const list = jsonMember(hooks, event);
  if (list === undefined) return insertJson(text, hooks, { key: event, value: [entry] });
  if (list.kind !== "array")
    throw new KeyframeError("refused", `"hooks.${event}" in the settings is not a list`);
  return insertJson(text, list, { value: entry });
}

function removeFromEvent(text: string, event: string, agent: string): string {
  const list = jsonMember(jsonMember(mustJsonObject(text), "hooks"), event);
  if (list?.kind !== "array") return text;
  const index = list.items.findIndex((item) => holdsOurs(item, agent));
  const entry = list.items[index];
  if (entry === undefined) return text;
  const hooks = jsonMember(entry, "hooks");
  const inGroup = hooks?.kind === "array" ? hooks.items : [];
  const ours = inGroup.findIndex((hook) => isOurs(hook, agent));
  const isShared = inGroup.some((hook) => !isOurs(hook, agent));
  // a group that somebody else added to keeps their hooks
  const next =
    isShared && hooks?.kind === "array" ? removeJson(text, hooks, ours) : removeJson(text, list, index);
  return removeEmptyMember(removeFromEvent(next, event, agent), ["hooks"], event);
}

function removeEmptyMember(text: string, parents: readonly string[], key: string): string {
  const root: JsonNode = mustJsonObject(text);
  const parent = parents.reduce<JsonNode | undefined>(jsonMember, root);
  if (parent?.kind !== "object") return text;
  const index = parent.members.findLastIndex((member) => member.key === key);
  const value = parent.members[index]?.value;
  const empty =
    (value?.kind === "object" && value.members.length === 0) ||
    (value?.kind === "array" && value.items.length === 0);
  return empty ? removeJson(text, parent, index) : text;
}
