import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";
import { jsonFlag, remoteArgument, textsFlag } from "../command/flags.ts";
import type { FetchFlags } from "./fetch.ts";

export const fetchCommand = buildCommand<FetchFlags, [string?], CliContext>({
  loader: async () => (await import("./fetch.ts")).fetch,
  parameters: {
    flags: {
      checkpoint: textsFlag("Also everything of this checkpoint, transcripts included", "id"),
      json: jsonFlag,
    },
    positional: remoteArgument,
  },
  docs: {
    brief: "Fetch checkpoint metadata and notes from a remote",
    fullDescription:
      "Gets trees, metadata and prompts of all checkpoints, and the notes; transcripts come when something asks for them. Remote configuration, branches and refs of yours stay as they are; notes are joined line by line.\n\nExample:\n  keyframe fetch origin --checkpoint a1b2c3d4e5f6",
  },
});
