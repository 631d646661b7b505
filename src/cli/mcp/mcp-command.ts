import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";

export const mcpCommand = buildCommand<object, [], CliContext>({
  loader: async () => (await import("./mcp.ts")).mcp,
  parameters: { flags: {} },
  docs: {
    brief: "Serve agents over MCP on standard input and output: why, search, open, tried",
    fullDescription:
      "A server of the Model Context Protocol for one repository, the one it is started in. It only reads. Connect it in an\n" +
      "agent's settings as a stdio server.\n\n" +
      "Examples:\n  claude mcp add keyframe -- keyframe mcp\n  codex mcp add keyframe -- keyframe mcp",
  },
});
