import { describeRawCommand } from "../command/raw-command-help.ts";

/** The entry (src/bin) runs hooks by itself; here is only what to say about them. */
export const hookCommand = describeRawCommand({
  name: "hook",
  brief: "What installed hooks call: record an agent's event, settle after git",
  description: `keyframe hook <agent>          with the agent's hook JSON on standard input
keyframe hook git <name> ...   from git's hook of that name

Ends with 0, whatever happens; keyframe status shows what went wrong. Only a push says something, and a commit on a
terminal.

Example:
  keyframe hook claude < payload.json`,
});
