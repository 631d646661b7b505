import { buildCommand } from "@stricli/core";
import type { CliContext } from "./context.ts";

export interface RawCommandHelp {
  readonly name: string;
  readonly brief: string;
  readonly description: string;
}

/**
 * The help page and the completion entry of a raw command. It is run only when the framework is asked for help: the
 * command line itself goes to `rawCommands`.
 */
export function describeRawCommand({ brief, description }: RawCommandHelp) {
  return buildCommand<Record<never, never>, string[], CliContext>({
    func() {
      this.terminal.note(description);
    },
    parameters: {
      flags: {},
      positional: {
        kind: "array",
        parameter: { brief: "git's own options and arguments", parse: String, placeholder: "args" },
      },
    },
    docs: { brief, fullDescription: description },
  });
}
