/** What Claude Code's tools can do to files. Names are compared without case. */
export type ToolClass = "edit" | "shell" | "read-only";

const editTools = ["Write", "Edit", "MultiEdit", "NotebookEdit"];

/**
 * Tools that change no file of the work tree by themselves; what a subagent (`Agent`, `Task`) does arrives as calls
 * of its own. Everything else that is not an edit tool - `Bash`, MCP tools, tools of later versions - may write
 * anywhere, so the work tree is compared before and after it.
 */
const readOnlyTools = [
  "Agent",
  "AskUserQuestion",
  "BashOutput",
  "EnterPlanMode",
  "ExitPlanMode",
  "Glob",
  "Grep",
  "KillShell",
  "ListMcpResourcesTool",
  "LS",
  "NotebookRead",
  "Read",
  "ReadMcpResourceTool",
  "SendMessage",
  "Skill",
  "SlashCommand",
  "Task",
  "TaskCreate",
  "TaskGet",
  "TaskList",
  "TaskOutput",
  "TaskStop",
  "TaskUpdate",
  "TodoRead",
  "TodoWrite",
  "ToolSearch",
  "WebFetch",
  "WebSearch",
];

const lowerCaseEditTools = new Set(editTools.map((name) => name.toLowerCase()));
const lowerCaseReadOnlyTools = new Set(readOnlyTools.map((name) => name.toLowerCase()));

export function classifyTool(name: string): ToolClass {
  const lower = name.toLowerCase();
  if (lowerCaseEditTools.has(lower)) return "edit";
  return lowerCaseReadOnlyTools.has(lower) ? "read-only" : "shell";
}

/** For the `matcher` of Claude Code's settings, a regular expression: no hook process for tools that only read. */
export const writingToolsMatcher = `^(?!(?:${readOnlyTools.join("|")})$)`;
