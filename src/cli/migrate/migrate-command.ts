import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";
import type { MigrateFlags } from "./migrate.ts";

const yes = (brief: string) => ({ kind: "boolean", optional: true, brief }) as const;

export const migrateCommand = buildCommand<MigrateFlags, [], CliContext>({
  loader: async () => (await import("./migrate.ts")).migrate,
  parameters: {
    flags: {
      to: { kind: "enum", values: ["v1", "v2", "refs"], brief: "The format to bring checkpoints to" },
      dryRun: yes("Show what would be done and write nothing"),
      verify: yes("Compare all transcripts afterwards"),
      force: yes("Write again what is there already"),
      json: yes("Print JSON"),
    },
  },
  docs: {
    brief: "Bring checkpoints to another storage format",
    fullDescription:
      "Copies checkpoints to another format and leaves the old ones where they are. May be stopped and started again at any time.\n\nExample:\n  keyframe migrate --to v2 --verify",
  },
});
