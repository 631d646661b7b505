import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";
import { jsonFlag, switchFlag } from "../command/flags.ts";
import type { RmFlags } from "../rm/rm-command.ts";

export interface RedactFlags extends RmFlags {
  readonly secret?: readonly string[];
}

export const redactCommand = buildCommand<RedactFlags, [string], CliContext>({
  loader: async () => (await import("./redact.ts")).redact,
  parameters: {
    flags: {
      secret: {
        kind: "parsed",
        parse: String,
        optional: true,
        variadic: true,
        brief: "A file with texts to take out, one a line; - reads them from standard input",
        placeholder: "file",
      },
      force: switchFlag("Do it: without this flag it only shows what would change"),
      local: switchFlag("Leave the remote as it is"),
      remote: {
        kind: "parsed",
        parse: String,
        optional: true,
        brief: "The remote to redact it at (default: the one checkpoints go to)",
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
    brief: "Take secrets out of a stored conversation, here and at the remote",
    fullDescription:
      "Looks through every checkpoint of the sessions in question with the rules of today and for the texts that are given, and writes the history of the stores anew where something was found. Clones of others, backups and what a hosting service keeps are out of reach: treat a leaked secret as known and replace it.\n\nExample:\n  keyframe redact HEAD --secret leaked.txt --force",
  },
});
