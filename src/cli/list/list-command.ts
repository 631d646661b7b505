import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";
import type { ListFlags } from "./list.ts";

const text = (brief: string, placeholder: string) =>
  ({ kind: "parsed", parse: String, optional: true, brief, placeholder }) as const;

export const listCommand = buildCommand<ListFlags, [], CliContext>({
  loader: async () => (await import("./list.ts")).list,
  parameters: {
    flags: {
      branch: text("Only checkpoints of this branch", "name"),
      author: text("Only by people whose name or e-mail contains this", "text"),
      agent: text("Only by agents whose name contains this", "name"),
      session: text("Only sessions whose id begins with this", "id"),
      file: text("Only checkpoints that touched this file or directory", "path"),
      text: text("Only checkpoints whose prompts contain this", "text"),
      since: text("Only from this date on", "date"),
      until: text("Only up to this date", "date"),
      limit: { kind: "parsed", parse: Number, optional: true, brief: "At most this many", placeholder: "n" },
      json: { kind: "boolean", optional: true, brief: "Print JSON" },
    },
  },
  docs: {
    brief: "List checkpoints, newest first",
    fullDescription:
      "Lists the checkpoints on this machine, newest first.\n\nExample:\n  keyframe list --agent codex --file src --since 2026-01-01",
  },
});
