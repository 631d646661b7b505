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
      json: yes("Print JSON"),
    },
    aliases: { s: "short" },
  },
  docs: {
    brief: "Show the conversation behind a commit, a checkpoint or a line",
    fullDescription:
      "Shows what was asked for and what was done. Without an argument: the checkpoints of the commits on this branch.\n\nExample:\n  keyframe explain src/server.ts:42",
  },
});
