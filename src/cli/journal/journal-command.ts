import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";

export interface JournalFlags {
  readonly events?: boolean;
  readonly prune?: number;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export const journalCommand = buildCommand<JournalFlags, [], CliContext>({
  loader: async () => (await import("./journal.ts")).journal,
  parameters: {
    flags: {
      events: { kind: "boolean", optional: true, brief: "Stream the log of events instead, oldest first" },
      prune: {
        kind: "parsed",
        parse: parseDays,
        optional: true,
        placeholder: "days",
        brief: "Drop events older than this many days; what is pending stays",
      },
      dryRun: { kind: "boolean", optional: true, brief: "With --prune: only say what would be dropped" },
      json: { kind: "boolean", optional: true, brief: "Print JSON (with --events: one object a line)" },
    },
  },
  docs: {
    brief: "Show what waits for a commit, or the events that led there",
    fullDescription:
      "Shows, for each file with uncommitted work that was recorded, whose lines wait for a commit.\n\n" +
      "Examples:\n  keyframe journal\n  keyframe journal --events --json | tail -n 3\n  keyframe journal --prune 30 --dry-run",
  },
});

function parseDays(text: string): number {
  const days = Number(text);
  if (!Number.isFinite(days) || days < 0) throw new Error(`not a number of days: ${text}`);
  return days;
}
