import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";
import { revisionArgument } from "../command/flags.ts";

export interface OwnerExportFlags {
  readonly format: "agent-trace";
}

export const exportCommand = buildCommand<OwnerExportFlags, [string?], CliContext>({
  loader: async () => (await import("./export.ts")).exportOwners,
  parameters: {
    flags: {
      format: {
        kind: "enum",
        values: ["agent-trace"],
        default: "agent-trace",
        brief: "Agent Trace 0.1.0: one JSON record a line for each commit",
      },
    },
    positional: revisionArgument("HEAD"),
  },
  docs: {
    brief: "Write who wrote the lines of commits in a format that other tools read",
    fullDescription:
      "Prints JSON, one record a line. For conversations see `keyframe explain --format atif`.\n\nExample:\n  keyframe export main~20..main --format agent-trace >traces.jsonl",
  },
});
