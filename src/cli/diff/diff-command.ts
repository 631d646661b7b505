import { describeRawCommand } from "../command/raw-command-help.ts";

export const diffCommand = describeRawCommand({
  name: "diff",
  brief: "Show changes with the owner of each added and removed line",
  description: `keyframe diff [git diff options] [--json] [<commit> [<commit>]] [--] [<path>...]

Git's own diff; left of each added line stands who wrote it, left of each removed line who had written it. It takes the
revisions, paths and options of git diff; output that is not a diff of lines (--stat, --name-only) stays as it is.

  --json   the changed lines, and the sessions, prompts and humans behind them

Examples:
  keyframe diff
  keyframe diff main...HEAD -- src
  keyframe diff --json HEAD~1 HEAD`,
});
