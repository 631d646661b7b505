import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";

export interface DisableFlags {
  readonly uninstall?: boolean;
  readonly global?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export const disableCommand = buildCommand<DisableFlags, [], CliContext>({
  loader: async () => (await import("./disable.ts")).disable,
  parameters: {
    flags: {
      uninstall: {
        kind: "boolean",
        optional: true,
        withNegated: false,
        brief: "Also take the hooks out, so that every file is as it was",
      },
      global: {
        kind: "boolean",
        optional: true,
        withNegated: false,
        brief: "Take the hooks out of your home instead (`keyframe enable --global`)",
      },
      dryRun: {
        kind: "boolean",
        optional: true,
        withNegated: false,
        brief: "Show the plan and change nothing",
      },
      json: { kind: "boolean", optional: true, withNegated: false, brief: "Print JSON" },
    },
  },
  docs: {
    brief: "Turn Keyframe off in this repository",
    fullDescription:
      "Turns Keyframe off: installed hooks do nothing until `keyframe enable`. Notes and pending records stay.\n\nExample:\n  keyframe disable --uninstall",
  },
});
