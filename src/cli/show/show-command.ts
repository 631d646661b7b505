import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";
import type { ShowFlags } from "./show.ts";

export const showCommand = buildCommand<ShowFlags, [string?], CliContext>({
  loader: async () => (await import("./show.ts")).show,
  parameters: {
    flags: {
      json: { kind: "boolean", optional: true, brief: "Print JSON" },
      raw: { kind: "boolean", optional: true, brief: "Print the text of the note as it is stored" },
    },
    positional: {
      kind: "tuple",
      parameters: [{ parse: String, optional: true, placeholder: "commit", brief: "(default: HEAD)" }],
    },
  },
  docs: {
    brief: "Show a commit's authorship note: files, sessions, prompts, humans",
    fullDescription:
      "Shows what the authorship note of a commit says: who owns which lines of which file, and the sessions behind them.\n\nExamples:\n  keyframe show\n  keyframe show v1.2 --json\n  keyframe show HEAD~3 --raw",
  },
});
