import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";
import { jsonFlag, remoteArgument, textsFlag } from "../command/flags.ts";
import type { PushFlags } from "./push.ts";

export const pushCommand = buildCommand<PushFlags, [string?], CliContext>({
  loader: async () => (await import("./push.ts")).push,
  parameters: {
    flags: {
      machine: textsFlag("Send the machine of this moment to keyframe.store first", "moment"),
      json: jsonFlag,
    },
    positional: remoteArgument,
  },
  docs: {
    brief: "Bring checkpoints and notes to a remote, joined with what others pushed",
    fullDescription:
      "Pushes refs/notes/ai and the checkpoints of every store. Where others were first, notes are joined line by line and checkpoints session by session; nothing at the remote is overwritten. The pre-push hook does the same with each `git push`.\n\nWith --machine the machine that a moment had goes to the store that `git config keyframe.store` names (a directory or s3://bucket/prefix), which keeps each block once; the checkpoint of its newest commit names it, so that `keyframe resume --machine` brings it back on another computer.\n\nExamples:\n  keyframe push origin\n  keyframe push --machine 3f2a91c04d5e",
  },
});
