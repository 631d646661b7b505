import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";
import { jsonFlag, textArgument } from "../command/flags.ts";

export interface MarkFlags {
  readonly json?: boolean;
}

export const markCommand = buildCommand<MarkFlags, [string], CliContext>({
  loader: async () => (await import("./mark.ts")).mark,
  parameters: {
    flags: { json: jsonFlag },
    positional: {
      kind: "tuple",
      parameters: [textArgument("What to call this moment", "title")],
    },
  },
  docs: {
    brief: "Remember files, owners and conversations as they are now",
    fullDescription:
      "Sets a mark that `keyframe timeline` shows and that rewind and fork can name by its title. Untracked files are\n" +
      "included, ignored files are not. Nothing in the worktree, the index or HEAD changes.\n\n" +
      'Example:\n  keyframe mark "before the migration"',
  },
});
