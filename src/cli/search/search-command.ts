import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";
import type { SearchFlags } from "./search.ts";

export const searchCommand = buildCommand<SearchFlags, string[], CliContext>({
  loader: async () => (await import("./search.ts")).search,
  parameters: {
    positional: {
      kind: "array",
      minimum: 1,
      parameter: { parse: String, brief: "Words that must all occur", placeholder: "text" },
    },
    flags: {
      limit: { kind: "parsed", parse: Number, default: "20", brief: "At most this many", placeholder: "n" },
      json: { kind: "boolean", optional: true, brief: "Print JSON" },
    },
  },
  docs: {
    brief: "Search prompts, summaries and transcripts on this machine",
    fullDescription:
      'Searches without any network. What is new since the last search is indexed first.\n\nExample:\n  keyframe search "retry policy" upload',
  },
});
