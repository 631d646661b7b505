import { basename } from "node:path";
import type {
  AgentAdapter,
  AgentEvent,
  HookReading,
  IgnoredPayload,
  RefusedPayload,
} from "../agent-event.ts";
import { findClaudeModel } from "../conversations/claude-transcript.ts";
import {
  absolutePaths,
  asFields,
  asName,
  type Fields,
  field,
  folderField,
  nameField,
  textField,
} from "../fields.ts";
import { refused } from "../payload.ts";
import { classifyTool } from "./claude-tools.ts";
import { expectedContent } from "./expected-content.ts";
import { senderOf } from "./payload-sender.ts";

/**
 * Claude Code's command hooks. Other products send hooks of the same form; theirs are refused, so that their work is
 * not credited to Claude.
 */
export const claudeAdapter: AgentAdapter = {
  name: "claude",
  parsePayload(payload) {
    const fields = asFields(payload);
    if (fields === undefined) return refused("the payload is not a JSON object");
    const from = senderOf(fields);
    if (from !== undefined && from.sender !== "claude")
      return {
        ...refused(`the payload comes from ${from.title}, not from Claude Code`),
        sender: from.sender,
      };
    const origin = parseOrigin(fields);
    return "kind" in origin ? origin : parseEvent(fields, origin);
  },
  findModel: findClaudeModel,
};

type Origin = Pick<
  Extract<AgentEvent, { kind: "turn-end" }>,
  "agent" | "cwd" | "transcriptPath" | "subagentId"
>;

function parseOrigin(fields: Fields): Origin | RefusedPayload {
  const cwd = folderField(fields, "cwd");
  if (cwd === undefined) return refused("the payload names no absolute cwd");
  const transcriptPath = folderField(fields, "transcript_path");
  if (transcriptPath === undefined) return refused("the payload names no absolute transcript_path");
  const id = nameField(fields, "session_id") ?? asName(basename(transcriptPath).replace(/\.jsonl$/, ""));
  if (id === undefined) return refused("the payload names no usable session_id");
  const subagentId = nameField(fields, "agent_id");
  return {
    agent: { tool: "claude", id, model: nameField(fields, "model") ?? "unknown" },
    cwd,
    transcriptPath,
    ...(subagentId === undefined ? {} : { subagentId }),
  };
}

function parseEvent(fields: Fields, origin: Origin): HookReading {
  const event = textField(fields, "hook_event_name");
  switch (event) {
    case undefined:
      return refused("the payload names no hook_event_name");
    case "SessionStart":
      return { ...origin, kind: "session-start", ...optional("source", nameField(fields, "source")) };
    case "UserPromptSubmit":
      return { ...origin, kind: "prompt", prompt: textField(fields, "prompt") ?? "" };
    case "PreToolUse":
      return parseToolCall(fields, origin, "before");
    // a failed call may have changed files before it failed
    case "PostToolUse":
    case "PostToolUseFailure":
      return parseToolCall(fields, origin, "after");
    case "Stop":
      return { ...origin, kind: "turn-end" };
    case "SubagentStop":
      return { ...origin, kind: "subagent-end" };
    case "SessionEnd":
      return { ...origin, kind: "session-end", ...optional("reason", nameField(fields, "reason")) };
    default:
      return ignored(`the event ${event.slice(0, 100)} is not recorded`);
  }
}

function parseToolCall(fields: Fields, origin: Origin, when: "before" | "after"): HookReading {
  // Claude Code before 2.0 sent no tool name with its edits
  const toolName = nameField(fields, "tool_name") ?? "Edit";
  const call = { ...origin, toolName, toolUseId: nameField(fields, "tool_use_id") ?? "unnamed" };
  const input = asFields(field(fields, "tool_input")) ?? {};
  switch (classifyTool(toolName)) {
    case "read-only":
      return ignored(`the tool ${toolName} changes no file`);
    case "shell":
      return { ...call, kind: `${when}-shell`, ...optional("command", textField(input, "command")) };
    case "edit": {
      const paths = absolutePaths(editedPaths(input), origin.cwd);
      if (paths === undefined || paths.length === 0)
        return refused(`the ${toolName} call names no usable file`);
      const expected = (before: string | undefined) => expectedContent(input, before);
      if (when === "before") return { ...call, kind: "before-edit", paths, expected };
      return { ...call, kind: "after-edit", paths, expected, ...parseOriginals(fields, paths) };
    }
  }
}

function editedPaths(input: Fields): unknown {
  for (const name of ["file_path", "filepath", "path", "notebook_path"]) {
    const value = field(input, name);
    if (typeof value === "string") return [value];
  }
  for (const name of ["file_paths", "filepaths", "files"]) {
    const value = field(input, name);
    if (Array.isArray(value)) return value;
  }
  return undefined;
}

/** `Write` and `Edit` answer with the file's text before the call, null for a file they made. */
function parseOriginals(
  fields: Fields,
  paths: readonly string[],
): { readonly originals?: ReadonlyMap<string, string | null> } {
  const [path] = paths;
  const response = asFields(field(fields, "tool_response"));
  if (path === undefined || paths.length > 1 || response === undefined) return {};
  const original = field(response, "original_file");
  if (typeof original === "string") return { originals: new Map([[path, original]]) };
  // an update without a text is a file too large to repeat
  return original === null && response["type"] === "create" ? { originals: new Map([[path, null]]) } : {};
}

function ignored(why: string): IgnoredPayload {
  return { kind: "ignored", why };
}

function optional<Name extends string>(name: Name, value: string | undefined): { [key in Name]?: string } {
  return value === undefined ? {} : ({ [name]: value } as { [key in Name]: string });
}
