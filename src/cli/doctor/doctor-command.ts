import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";
import { jsonFlag, switchFlag } from "../command/flags.ts";

export interface DoctorFlags {
  readonly repair?: boolean;
  readonly remote?: boolean;
  readonly security?: boolean;
  readonly json?: boolean;
}

export const doctorCommand = buildCommand<DoctorFlags, [], CliContext>({
  loader: async () => (await import("./doctor.ts")).doctor,
  parameters: {
    flags: {
      repair: switchFlag("Repair what can be without losing anything, and show what is left"),
      remote: switchFlag("Look at what was fetched and pushed too; with --repair, fetch and push"),
      security: switchFlag(
        "Look at modes, owners, tokens, listening ports and settings that weaken security instead",
      ),
      json: jsonFlag,
    },
  },
  docs: {
    brief: "Check journal, notes, sessions, checkpoints and sandboxes, and say what repairs each problem",
    fullDescription:
      "Reads everything that Keyframe keeps for this repository and checks it: the journal, the notes, sessions whose agent\n" +
      "is gone, commits whose checkpoint is not here, records that cannot be read, refs without common history with a\n" +
      "remote's; and this user's sandboxes and snapshots, outside of a repository too. Nothing is changed without\n" +
      "--repair, and no remote is asked without --remote and --repair. Ends with 5 if something is damaged.\n\n" +
      "Example:\n  keyframe doctor\n  keyframe doctor --repair --remote\n  keyframe doctor --security",
  },
});
