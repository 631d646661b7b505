import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";

export interface RewindFlags {
  readonly to?: string;
  readonly list?: boolean;
  readonly files?: boolean;
  readonly conversation?: boolean;
  readonly undo?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

const flag = (brief: string) => ({ kind: "boolean", optional: true, withNegated: false, brief }) as const;

export const rewindCommand = buildCommand<RewindFlags, [], CliContext>({
  loader: async () => (await import("./rewind.ts")).rewindCommandRun,
  parameters: {
    flags: {
      to: {
        kind: "parsed",
        parse: String,
        optional: true,
        brief: "Go back to this point: an id of the list, the title of a mark, or any commit",
        placeholder: "id",
      },
      list: flag("List the points (also without --to)"),
      files: flag("Only the files"),
      conversation: flag("Only the conversation"),
      undo: flag("Take the last rewind back"),
      dryRun: flag("Show the plan and change nothing"),
      json: flag("Print JSON"),
    },
  },
  docs: {
    brief: "Bring files and conversation back to the end of a turn, or to a checkpoint",
    fullDescription:
      "Goes back to a point: only files that differ are written, ignored files stay, HEAD and the index do not move.\n" +
      "How things were is remembered first: --undo brings it back.\n\n" +
      "Example:\n  keyframe rewind --list\n  keyframe rewind --to 3f2a91c04d5e --dry-run\n  keyframe rewind --undo",
  },
});
