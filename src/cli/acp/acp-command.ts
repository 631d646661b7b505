import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";
import { switchFlag, textFlag } from "../command/flags.ts";

export interface AcpFlags {
  readonly agent?: string;
  readonly everywhere?: boolean;
}

export const acpCommand = buildCommand<AcpFlags, string[], CliContext>({
  loader: async () => (await import("./acp.ts")).acp,
  parameters: {
    flags: {
      agent: textFlag("Who is credited (default: what the agent calls itself)", "name"),
      everywhere: switchFlag("Record also where Keyframe was not enabled, except where it was disabled"),
    },
    positional: {
      kind: "array",
      minimum: 1,
      parameter: { parse: String, placeholder: "command", brief: "The agent and its arguments, after --" },
    },
  },
  docs: {
    brief: "Stand between an editor and an agent that speak the Agent Client Protocol, and record the agent",
    fullDescription: `Starts an agent and passes all messages between it and the editor unchanged. Edits, tool calls, terminals and prompts are read along and recorded as hooks would. Where the agent's own hooks are connected, those are heard and this only passes messages on. Put it before the agent's command in the editor's settings (docs/editors.md). Ends with the agent's exit code.

Examples:
  keyframe acp -- gemini --acp
  keyframe acp --agent claude -- npx claude-agent-acp`,
  },
});
