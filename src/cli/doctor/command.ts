import { buildCommand } from "@stricli/core";
import type { CliContext } from "../context.ts";

export interface DoctorFlags {
  readonly repair?: boolean;
  readonly json?: boolean;
}

export const doctorCommand = buildCommand<DoctorFlags, [], CliContext>({
  loader: async () => (await import("./run.ts")).doctor,
  parameters: {
    flags: {
      repair: { kind: "boolean", optional: true, brief: "Repair what can be, and forget the problems shown" },
      json: { kind: "boolean", optional: true, brief: "Print JSON" },
    },
  },
  docs: {
    brief: "Check the journal, the notes and the sandboxes, and show what hooks could not do",
    fullDescription:
      "Reads everything that Keyframe keeps for this worktree and checks it: each line of the log, each head, each stored\n" +
      "content, the notes, the lock; and this user's sandboxes and snapshots, outside of a repository too. Nothing is changed without --repair. Ends with 5 if something is damaged.\n\n" +
      "Example:\n  keyframe doctor\n  keyframe doctor --repair",
  },
});
