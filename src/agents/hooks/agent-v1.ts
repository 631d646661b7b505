import { type AgentAdapter, type HookReading, type RefusedPayload, unnamedCall } from "../agent-event.ts";
import {
  absolutePaths,
  asFields,
  bufferField,
  type Fields,
  field,
  folderField,
  nameField,
  textField,
} from "../fields.ts";
import { refused } from "../payload.ts";

/**
 * The generic input by which any tool reports its own edits, as other vendors send it: `type` is `human` (the state
 * before an edit), `ai_agent` (after it), `pre_shell_command` or `post_shell_command`.
 */
export const agentV1Adapter: AgentAdapter = {
  name: "agent-v1",
  parsePayload(payload) {
    const fields = asFields(payload);
    if (fields === undefined) return refused("the payload is not a JSON object");
    const cwd = folderField(fields, "repo_working_dir");
    if (cwd === undefined) return refused("the payload names no absolute repo_working_dir");
    const type = textField(fields, "type");
    switch (type) {
      case "human":
        return parseUntracked(fields, cwd);
      case "ai_agent":
        return parseEdit(fields, cwd);
      case "pre_shell_command":
        return parseShell(fields, cwd, "before-shell");
      case "post_shell_command":
        return parseShell(fields, cwd, "after-shell");
      default:
        return refused(`the type ${JSON.stringify(type ?? null).slice(0, 100)} is not one of agent-v1`);
    }
  },
};

function parseUntracked(fields: Fields, cwd: string): HookReading {
  const files = parseFiles(fields, cwd, "will_edit_filepaths");
  return "kind" in files ? files : { kind: "untracked-edit", cwd, announces: unnamedCall, ...files };
}

function parseEdit(fields: Fields, cwd: string): HookReading {
  const agent = parseAgent(fields);
  if (agent === undefined) return refused("ai_agent needs agent_name and conversation_id");
  const files = parseFiles(fields, cwd, "edited_filepaths");
  if ("kind" in files) return files;
  // an edit is one snapshot after, compared with the last one known
  return { kind: "after-edit", agent, cwd, toolUseId: unnamedCall, toolName: "edit", ...files };
}

function parseShell(fields: Fields, cwd: string, kind: "before-shell" | "after-shell"): HookReading {
  const agent = parseAgent(fields);
  const toolUseId = nameField(fields, "tool_use_id");
  if (agent === undefined || toolUseId === undefined) {
    return refused("a shell command needs agent_name, conversation_id and tool_use_id");
  }
  const command = textField(fields, "command");
  return { kind, agent, cwd, toolUseId, toolName: "shell", ...(command === undefined ? {} : { command }) };
}

function parseAgent(fields: Fields): { tool: string; id: string; model: string } | undefined {
  const tool = nameField(fields, "agent_name");
  const id = nameField(fields, "conversation_id");
  if (tool === undefined || id === undefined) return undefined;
  return { tool, id, model: nameField(fields, "model") ?? "unknown" };
}

function parseFiles(
  fields: Fields,
  cwd: string,
  name: "will_edit_filepaths" | "edited_filepaths",
): { readonly paths: string[]; readonly buffers?: ReadonlyMap<string, string> } | RefusedPayload {
  const paths = absolutePaths(field(fields, name) ?? [], cwd);
  if (paths === undefined) return refused(`${name} is not a list of paths`);
  const buffers = bufferField(fields, "dirty_files", cwd);
  return buffers === undefined
    ? refused("dirty_files is not a map of paths to texts")
    : { paths, ...buffers };
}
