import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";
import { jsonFlag, remoteArgument } from "../command/flags.ts";
import type { PushFlags } from "./push.ts";

export const pushCommand = buildCommand<PushFlags, [string?], CliContext>({
  loader: async () => (await import("./push.ts")).push,
  parameters: {
    flags: {
      json: jsonFlag,
    },
    positional: remoteArgument,
  },
  docs: {
    brief: "Bring checkpoints and notes to a remote, joined with what others pushed",
    fullDescription:
      "Pushes refs/notes/ai and the checkpoints of every store. Where others were first, notes are joined line by line and checkpoints session by session; nothing at the remote is overwritten. The pre-push hook does the same with each `git push`.\n\nExample:\n  keyframe push origin",
  },
});
