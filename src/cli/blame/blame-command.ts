import { describeRawCommand } from "../command/raw-command-help.ts";

export const blameCommand = describeRawCommand({
  name: "blame",
  brief: "Show who wrote each line of a file: agent, human, or unknown",
  description: `keyframe blame [git blame options] [--json] [--no-owner] [<rev>] [--] <file>

Git's own blame with the owner of each line before the line number. It takes every option of git blame (revisions,
-L, -w, -M, -C, --ignore-revs-file, --reverse, --contents, --porcelain, --incremental, ...). The porcelain formats
get extra header lines that begin with "keyframe-".

  --json       all lines, and the sessions, prompts and humans behind them
  --no-owner   exactly what git prints

Examples:
  keyframe blame src/app.ts
  keyframe blame -w -L '/^function run/,+20' v1.2 -- src/app.ts
  keyframe blame --json src/app.ts`,
});
