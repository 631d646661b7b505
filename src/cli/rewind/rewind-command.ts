import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";

export interface RewindFlags {
  readonly to?: string;
  readonly list?: boolean;
  readonly files?: boolean;
  readonly conversation?: boolean;
  readonly reset?: boolean;
  readonly undo?: boolean;
  readonly force?: boolean;
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
      reset: flag("Also HEAD: its branch and the index go back, as with `git reset`"),
      undo: flag("Take the last rewind back"),
      force: flag(
        "With --reset: also if a remote holds commits that leave the branch; with --undo: also if it has moved since",
      ),
      dryRun: flag("Show the plan and change nothing"),
      json: flag("Print JSON"),
    },
  },
  docs: {
    brief: "Bring files and conversation back to the end of a turn, or to a checkpoint",
    fullDescription:
      "Goes back to a point: only files that differ are written, ignored files stay. HEAD and the index do not move, unless\n" +
      "--reset is given: HEAD's branch then goes back to the commit it was on at that point.\n" +
      "How things were is remembered first: --undo brings it back.\n\n" +
      "Example:\n  keyframe rewind --list\n  keyframe rewind --to 3f2a91c04d5e --dry-run\n" +
      "  keyframe rewind --to 3f2a91c04d5e --reset\n  keyframe rewind --undo",
  },
});
