import { buildCommand } from "@stricli/core";
import { parseDurationMs } from "../../base/text/quantities.ts";
import type { CliContext } from "../command/context.ts";
import { jsonFlag, switchFlag } from "../command/flags.ts";

export interface CleanFlags {
  readonly olderThan?: number;
  readonly all?: boolean;
  readonly dryRun?: boolean;
  readonly force?: boolean;
  readonly json?: boolean;
}

export const cleanCommand = buildCommand<CleanFlags, [], CliContext>({
  loader: async () => (await import("./clean.ts")).clean,
  parameters: {
    flags: {
      olderThan: {
        kind: "parsed",
        parse: parseDurationMs,
        optional: true,
        brief:
          "Remove what belongs to a session, rewind or race only if it was inactive for this long (default: 30d)",
        placeholder: "time",
      },
      all: switchFlag("The index of `keyframe search` as well; the next search builds it again"),
      dryRun: switchFlag("Show what would be removed and remove nothing: what it does without --force"),
      force: switchFlag("Remove it"),
      json: jsonFlag,
    },
  },
  docs: {
    brief:
      "Remove what only takes room: rewind points and copies of finished sessions, what was left by crashes",
    fullDescription:
      "Without --force it only shows what would be removed. Never removed are checkpoints and notes, anything of a session\n" +
      "that is at work or whose work waits for a commit, and branches of yours. Finished sessions that are old enough lose\n" +
      "their rewind points, the copy of their transcript (what was committed of it is in its checkpoints) and their entry in\n" +
      "`keyframe session list`; old rewinds can no longer be taken back. Races that are old enough go with what only they hold.\n\n" +
      "Example:\n  keyframe clean\n  keyframe clean --older-than 7d --force",
  },
});
