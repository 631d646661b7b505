import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";

export const statusCommand = buildCommand<{ readonly json?: boolean }, [], CliContext>({
  loader: async () => (await import("./status.ts")).status,
  parameters: {
    flags: { json: { kind: "boolean", optional: true, withNegated: false, brief: "Print JSON" } },
  },
  docs: {
    brief: "Show what is on, what is pending, and what went wrong in hooks",
    fullDescription:
      "Shows which hooks are on in this repository, whose uncommitted lines are pending, and what hooks could not do.\n\nExample:\n  keyframe status --json",
  },
});
