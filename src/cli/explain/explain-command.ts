import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";
import type { ExplainFlags } from "./explain.ts";

const yes = (brief: string) => ({ kind: "boolean", optional: true, brief }) as const;

export const explainCommand = buildCommand<ExplainFlags, [string?], CliContext>({
  loader: async () => (await import("./explain.ts")).explain,
  parameters: {
    positional: {
      kind: "tuple",
      parameters: [
        {
          parse: String,
          optional: true,
          brief: "A checkpoint (or the beginning of its id), a commit, or file:line",
          placeholder: "what",
        },
      ],
    },
    flags: {
      session: {
        kind: "parsed",
        parse: String,
        optional: true,
        brief: "Show this session of the checkpoint: its number, or the beginning of its id",
        placeholder: "id",
      },
      short: yes("Leave out files and transcript"),
      full: yes("Show the whole session, not only the part since the checkpoint before"),
      rawTranscript: yes("Write the stored transcript, byte for byte"),
      format: {
        kind: "enum",
        values: ["text", "md", "json", "atif"],
        optional: true,
        brief:
          "How to print it: md and atif (one trajectory document) and json hold the conversation (default: text)",
      },
      budget: {
        kind: "parsed",
        parse: Number,
        optional: true,
        brief: "Limit the output to about this many tokens: prompts first, then replies, then tool calls",
        placeholder: "tokens",
      },
      summarize: yes("Have the command of `keyframe.summarize` in your git configuration summarize it first"),
      json: yes("Print JSON without the conversation"),
    },
    aliases: { s: "short" },
  },
  docs: {
    brief: "Show the conversation behind a commit, a checkpoint or a line",
    fullDescription:
      "Shows what was asked for and what was done. Without an argument: the checkpoints of the commits on this branch.\n\nExample:\n  keyframe explain src/server.ts:42",
  },
});
