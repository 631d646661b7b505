import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";
import { switchFlag } from "../command/flags.ts";

export interface McpFlags {
  readonly skill?: boolean;
}

export const mcpCommand = buildCommand<McpFlags, [], CliContext>({
  loader: async () => (await import("./mcp.ts")).mcp,
  parameters: {
    flags: { skill: switchFlag("Print a skill file instead, for agents that prefer commands") },
  },
  docs: {
    brief: "Serve agents over MCP on standard input and output: why, search, open, tried",
    fullDescription:
      "A server of the Model Context Protocol for one repository, the one it is started in. It only reads. `keyframe enable\n" +
      "--mcp` names it in the agents' settings.\n\n" +
      "Examples:\n  keyframe enable --mcp\n  claude mcp add keyframe -- keyframe mcp\n  codex mcp add keyframe -- keyframe mcp\n" +
      "  keyframe mcp --skill > .claude/skills/keyframe/SKILL.md",
  },
});
