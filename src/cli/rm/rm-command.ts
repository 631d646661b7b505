import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";
import { jsonFlag, switchFlag } from "../command/flags.ts";

export interface RmFlags {
  readonly force?: boolean;
  readonly local?: boolean;
  readonly remote?: string;
  readonly json?: boolean;
}

export const rmCommand = buildCommand<RmFlags, [string], CliContext>({
  loader: async () => (await import("./rm.ts")).rm,
  parameters: {
    flags: {
      force: switchFlag("Remove it: without this flag it only shows what would be removed"),
      local: switchFlag("Leave the remote as it is"),
      remote: {
        kind: "parsed",
        parse: String,
        optional: true,
        brief: "The remote to remove it from (default: the one checkpoints go to)",
        placeholder: "remote",
      },
      json: jsonFlag,
    },
    positional: {
      kind: "tuple",
      parameters: [{ brief: "Checkpoint, session or commit", parse: String, placeholder: "what" }],
    },
  },
  docs: {
    brief: "Remove a checkpoint or a session from every store, here and at the remote",
    fullDescription:
      "Writes the history of the stores anew without it, deletes the objects that nothing else names, and lists what was removed so that nobody's push brings it back. Clones of others, backups and what a hosting service keeps are out of reach: treat a leaked secret as known and replace it.\n\nExample:\n  keyframe rm 0123456789ab --force",
  },
});
