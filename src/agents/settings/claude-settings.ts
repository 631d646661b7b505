import { writingToolsMatcher } from "../hooks/claude-tools.ts";
import { type AgentProgram, agentHookCommand } from "./agent-program.ts";
import { addJsonHooks, type JsonHookShape, jsonHookCommands, removeJsonHooks } from "./json-hooks.ts";

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

const agent = "claude";

export function claudeHookShape(program: AgentProgram, words: readonly string[] = []): JsonHookShape {
  return {
    agent,
    events: claudeHookEvents,
    entryOf: (event) => ({
      ...(toolEvents.includes(event) ? { matcher: writingToolsMatcher } : {}),
      hooks: [
        { type: "command", command: agentHookCommand(program, agent, words), timeout: hookTimeoutSeconds },
      ],
    }),
  };
}

/** Claude Code's settings with Keyframe's hooks in them. @throws KeyframeError `invalid-input`, `refused` */
export function addClaudeHooks(text: string | undefined, program: AgentProgram): string {
  return addJsonHooks(text, claudeHookShape(program));
}

/** The settings without Keyframe's hooks, and without the lists that this leaves empty. */
export function removeClaudeHooks(text: string): string {
  return removeJsonHooks(text, { agent });
}

/** True if the settings hold a hook of Keyframe. */
export function hasClaudeHooks(text: string): boolean {
  return removeClaudeHooks(text) !== text;
}

/** The commands of Keyframe's hooks in the settings, each once. */
export function claudeHookCommands(text: string): string[] {
  return jsonHookCommands(text, agent);
}
