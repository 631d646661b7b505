import { describeRawCommand } from "../command/raw-command-help.ts";

export const logCommand = describeRawCommand({
  name: "log",
  brief: "Show the history with the owners of each commit's lines",
  description: `keyframe log [git log options] [--json]

Git's own log with a bar and the owners of the lines that each commit adds. Every option of git log works, also
--graph, -p, --stat, --oneline and --format; formats made for programs (-z, --format=email) stay as they are.

  --json   an array of commits with their counts

Examples:
  keyframe log -5
  keyframe log --oneline --graph main..topic
  keyframe log --json v1.0..v2.0 -- src`,
});
