import { isDeepStrictEqual } from "node:util";
import { KeyframeError } from "../../base/errors.ts";
import { asFields } from "../fields.ts";
import { writingToolsMatcher } from "../hooks/claude-tools.ts";
import { type AgentProgram, hookCommand, isHookCommand } from "./agent-program.ts";
import { insertJson, type JsonNode, jsonMember, jsonValue, parseJsonText, removeJson } from "./json-text.ts";

const toolEvents = ["PreToolUse", "PostToolUse", "PostToolUseFailure"];

/** The hook events of Claude Code that Keyframe listens to. */
export const claudeHookEvents: readonly string[] = [
  "SessionStart",
  "UserPromptSubmit",
  ...toolEvents,
  "Stop",
  "SubagentStop",
  "SessionEnd",
];

/** Claude Code ends a hook after this; ours ends itself long before. */
const hookTimeoutSeconds = 30;

/**
 * Claude Code's settings with Keyframe's hooks in them, each once and in its present form. Everything else keeps its
 * bytes. `text` undefined: there are no settings yet. @throws KeyframeError `invalid-input`, `refused`
 */
export function addClaudeHooks(text: string | undefined, program: AgentProgram): string {
  let result = text ?? "{}\n";
  for (const event of claudeHookEvents) {
    const group = hookGroup(event, program);
    if (isDeepStrictEqual(ourGroups(result, event), [group])) continue;
    result = appendGroup(removeFromEvent(result, event), event, group);
  }
  return result;
}

/** The settings without Keyframe's hooks, and without the lists that this leaves empty. */
export function removeClaudeHooks(text: string): string {
  const hooks = jsonMember(mustObject(text), "hooks");
  if (hooks?.kind !== "object") return text;
  // older versions may have listened to other events
  const events = new Set(hooks.members.map((member) => member.key));
  const result = [...events].reduce(removeFromEvent, text);
  return result === text ? text : removeEmptyMember(result, [], "hooks");
}

/** True if the settings hold a hook of Keyframe. */
export function hasClaudeHooks(text: string): boolean {
  return removeClaudeHooks(text) !== text;
}

/** The commands of Keyframe's hooks in the settings, each once. */
export function claudeHookCommands(text: string): string[] {
  const commands = new Set<string>();
  const hooks = asFields(jsonValue(mustObject(text)))?.["hooks"];
  for (const groups of Object.values(asFields(hooks) ?? {})) {
    for (const group of Array.isArray(groups) ? groups : []) {
      const entries = asFields(group)?.["hooks"];
      for (const entry of Array.isArray(entries) ? entries : []) {
        const command = asFields(entry)?.["command"];
        if (isOurs(entry) && typeof command === "string") commands.add(command);
      }
    }
  }
  return [...commands];
}

function hookGroup(event: string, program: AgentProgram) {
  return {
    ...(toolEvents.includes(event) ? { matcher: writingToolsMatcher } : {}),
    hooks: [{ type: "command", command: hookCommand(program, "claude"), timeout: hookTimeoutSeconds }],
  };
}

function mustObject(text: string): Extract<JsonNode, { kind: "object" }> {
  const root = parseJsonText(text);
  if (root.kind === "object") return root;
  throw new KeyframeError("invalid-input", "the settings are not a JSON object");
}

function ourGroups(text: string, event: string): unknown[] {
  const list = jsonMember(jsonMember(mustObject(text), "hooks"), event);
  return list?.kind === "array" ? list.items.filter(holdsOurs).map(jsonValue) : [];
}

function holdsOurs(group: JsonNode): boolean {
  const hooks = jsonMember(group, "hooks");
  return hooks?.kind === "array" && hooks.items.some((hook) => isOurs(jsonValue(hook)));
}

function isOurs(hook: unknown): boolean {
  const command = asFields(hook)?.["command"];
  return typeof command === "string" && isHookCommand(command, "claude");
}

function appendGroup(text: string, event: string, group: unknown): string {
  const root = mustObject(text);
  const hooks = jsonMember(root, "hooks");
  if (hooks === undefined) return insertJson(text, root, { key: "hooks", value: { [event]: [group] } });
  if (hooks.kind !== "object") throw new KeyframeError("refused", `"hooks" in the settings is not an object`);
  const list = jsonMember(hooks, event);
  if (list === undefined) return insertJson(text, hooks, { key: event, value: [group] });
  if (list.kind !== "array")
    throw new KeyframeError("refused", `"hooks.${event}" in the settings is not a list`);
  return insertJson(text, list, { value: group });
}

function removeFromEvent(text: string, event: string): string {
  const list = jsonMember(jsonMember(mustObject(text), "hooks"), event);
  if (list?.kind !== "array") return text;
  const index = list.items.findIndex(holdsOurs);
  const group = list.items[index];
  const hooks = jsonMember(group, "hooks");
  if (hooks?.kind !== "array") return text;
  const others = hooks.items.findIndex((hook) => !isOurs(jsonValue(hook)));
  const ours = hooks.items.findIndex((hook) => isOurs(jsonValue(hook)));
  // a group that somebody else added to keeps their hooks
  const next = others === -1 ? removeJson(text, list, index) : removeJson(text, hooks, ours);
  return removeEmptyMember(removeFromEvent(next, event), ["hooks"], event);
}

function removeEmptyMember(text: string, parents: readonly string[], key: string): string {
  const root: JsonNode = mustObject(text);
  const parent = parents.reduce<JsonNode | undefined>(jsonMember, root);
  if (parent?.kind !== "object") return text;
  const index = parent.members.findLastIndex((member) => member.key === key);
  const value = parent.members[index]?.value;
  const empty =
    (value?.kind === "object" && value.members.length === 0) ||
    (value?.kind === "array" && value.items.length === 0);
  return empty ? removeJson(text, parent, index) : text;
}
