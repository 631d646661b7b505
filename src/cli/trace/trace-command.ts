import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";
import { countFlag, jsonFlag, textFlag } from "../command/flags.ts";

export interface TraceFlags {
  readonly last?: number;
  readonly of?: string;
  readonly json?: boolean;
}

export const traceCommand = buildCommand<TraceFlags, [], CliContext>({
  loader: async () => (await import("./trace.ts")).trace,
  parameters: {
    flags: {
      last: countFlag("How many runs (default: 3)"),
      of: textFlag("Only runs whose name contains this: `hook git`, `post-commit`, `migrate`", "name"),
      json: jsonFlag,
    },
  },
  docs: {
    brief: "Show where the time of the last commands and hooks went",
    fullDescription:
      "Every command and hook in this repository leaves a record of its steps: how often, how long in all, the longest\n" +
      "one, and what the step took itself beside those inside it. `~` is a helper that lives beside the others. About\n" +
      "the last 4,000 runs are kept, without names of files, arguments or contents.\n\n" +
      "Example:\n  keyframe trace --last 5\n  keyframe trace --of post-commit",
  },
});
