import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";

export interface EnableFlags {
  readonly agent?: "claude";
  readonly shared?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export const enableCommand = buildCommand<EnableFlags, [], CliContext>({
  loader: async () => (await import("./enable.ts")).enable,
  parameters: {
    flags: {
      agent: { kind: "enum", values: ["claude"], optional: true, brief: "Only this agent (default: all)" },
      shared: {
        kind: "boolean",
        optional: true,
        withNegated: false,
        brief: "Also write the settings that are committed, for everyone who has keyframe on the PATH",
      },
      dryRun: {
        kind: "boolean",
        optional: true,
        withNegated: false,
        brief: "Show the plan and change nothing",
      },
      json: { kind: "boolean", optional: true, withNegated: false, brief: "Print JSON" },
    },
  },
  docs: {
    brief: "Turn Keyframe on in this repository: git hooks and agent hooks",
    fullDescription:
      "Installs git hooks and the agents' hooks in this repository and all its worktrees. Hooks that are there already go on working. Running it again repairs and updates.\n\nExample:\n  keyframe enable --dry-run",
  },
});
