import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";
import type { TokensFlags } from "./tokens.ts";

export const tokensCommand = buildCommand<TokensFlags, [], CliContext>({
  loader: async () => (await import("./tokens.ts")).tokens,
  parameters: {
    flags: {
      by: {
        kind: "enum",
        values: ["agent", "branch", "author", "month", "session"],
        default: "agent",
        brief: "What a row counts",
      },
      since: {
        kind: "parsed",
        parse: String,
        optional: true,
        brief: "Only from this date on",
        placeholder: "date",
      },
      until: {
        kind: "parsed",
        parse: String,
        optional: true,
        brief: "Only up to this date",
        placeholder: "date",
      },
      json: { kind: "boolean", optional: true, brief: "Print JSON" },
    },
  },
  docs: {
    brief: "Show how many tokens the recorded work took",
    fullDescription:
      "Sums the tokens of all checkpoints on this machine.\n\nExample:\n  keyframe tokens --by month",
  },
});
