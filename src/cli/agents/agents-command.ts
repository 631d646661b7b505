import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";

export const agentsCommand = buildCommand<{ readonly json?: boolean }, [], CliContext>({
  loader: async () => (await import("./agents.ts")).agents,
  parameters: {
    flags: { json: { kind: "boolean", optional: true, withNegated: false, brief: "Print JSON" } },
  },
  docs: {
    brief: "List the agents that Keyframe can connect, and which of them are found, connected and heard",
    fullDescription:
      "Lists every agent with the files that connect it, whether it is found on this machine, where it is connected, and when a hook of it last ran in this repository.\n\nExample:\n  keyframe agents --json",
  },
});
