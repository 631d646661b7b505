import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";
import { completionShells } from "./shells.ts";

export const completionCommand = buildCommand<Record<never, never>, [shell: string], CliContext>({
  loader: async () => (await import("./completion.ts")).completion,
  parameters: {
    positional: {
      kind: "tuple",
      parameters: [
        {
          parse: String,
          placeholder: "shell",
          brief: completionShells.join(", "),
          proposeCompletions: () => completionShells,
        },
      ],
    },
  },
  docs: {
    brief: "Print a script that completes keyframe's commands in a shell",
    fullDescription:
      'Prints a script for bash, zsh or fish; nothing is installed.\n\nExamples:\n  eval "$(keyframe completion bash)"      (in ~/.bashrc; zsh the same)\n  keyframe completion fish | source',
  },
});
