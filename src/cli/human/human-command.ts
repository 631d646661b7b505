import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";

export const humanCommand = buildCommand<{ readonly json?: boolean }, string[], CliContext>({
  loader: async () => (await import("./human.ts")).human,
  parameters: {
    flags: { json: { kind: "boolean", optional: true, withNegated: false, brief: "Print JSON" } },
    positional: {
      kind: "array",
      parameter: {
        parse: String,
        placeholder: "file",
        brief: "Only these files (default: all that differ from HEAD)",
      },
    },
  },
  docs: {
    brief: "Say that the present changes are yours: lines that nobody was seen writing",
    fullDescription: `Marks lines that differ from HEAD, and that no agent or editor is known to have written, as written by the person of git's user.name. It is taken on your word and shown as such: "(stated)". Lines of an agent stay the agent's.

Examples:
  keyframe human
  keyframe human src/parser.ts`,
  },
});
