import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";
import { revisionArgument, textFlag } from "../command/flags.ts";
import type { StatsFlags } from "./stats.ts";

export const statsCommand = buildCommand<StatsFlags, [string?], CliContext>({
  loader: async () => (await import("./stats.ts")).stats,
  parameters: {
    flags: {
      json: { kind: "boolean", optional: true, brief: "Print JSON" },
      since: textFlag("Count by weeks since this date, and what of each week is still there", "date"),
      format: {
        kind: "enum",
        values: ["table", "json", "svg", "badge"],
        optional: true,
        brief: "Form of what --since counts (default: table)",
      },
      by: { kind: "enum", values: ["file", "dir"], optional: true, brief: "Also list files or directories" },
      ignore: {
        kind: "parsed",
        parse: String,
        variadic: true,
        optional: true,
        placeholder: "glob",
        brief: "Do not count these files (may be repeated; adds to the built-in list)",
      },
    },
    positional: revisionArgument("HEAD"),
  },
  docs: {
    brief: "Count the lines of a commit or range by who wrote them",
    fullDescription:
      "Counts the lines that a commit or a range adds: by agent, model, known human, and unknown, and how many of the agents' lines stayed or were overridden.\n\nExamples:\n  keyframe stats\n  keyframe stats main..HEAD --by dir\n  keyframe stats v1.0..v2.0 --json --ignore 'docs/**'\n  keyframe stats --since 3.months --format svg >owners.svg",
  },
});
