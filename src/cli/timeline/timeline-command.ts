import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";
import { countFlag, jsonFlag, switchFlag, textFlag } from "../command/flags.ts";

export interface TimelineFlags {
  readonly all?: boolean;
  readonly session?: string;
  readonly limit?: number;
  readonly json?: boolean;
}

export const timelineCommand = buildCommand<TimelineFlags, [string?], CliContext>({
  loader: async () => (await import("./timeline.ts")).timeline,
  parameters: {
    flags: {
      all: switchFlag("Every branch and worktree"),
      session: textFlag("Only moments of sessions whose id begins with this", "id"),
      limit: countFlag("Show at most this many moments (default: 50)"),
      json: jsonFlag,
    },
    positional: {
      kind: "tuple",
      parameters: [
        {
          brief: "Show this moment: the beginning of an id, the title of a mark, or a commit",
          parse: String,
          placeholder: "moment",
          optional: true,
        },
      ],
    },
  },
  docs: {
    brief: "Show every moment that you can go back to or fork: turns, marks and commits",
    fullDescription:
      "Lists the moments of this worktree, newest first. With a moment: its prompt, files, owners and conversations, and\n" +
      "what a restore would overwrite.\n\n" +
      "Examples:\n  keyframe timeline\n  keyframe timeline --all --limit 200\n  keyframe timeline 3f2a91c04d5e",
  },
});
