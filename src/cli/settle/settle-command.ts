import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";

export const settleCommand = buildCommand<{ readonly json?: boolean }, [], CliContext>({
  loader: async () => (await import("./settle.ts")).settleNow,
  parameters: { flags: { json: { kind: "boolean", optional: true, brief: "Print JSON" } } },
  docs: {
    brief: "Write the notes of commits that no hook saw",
    fullDescription:
      "Commits that were made while hooks were off (--no-verify, an IDE, git commit-tree, a killed hook) get the notes\n" +
      "that the hook would have written. Every command that shows owners does this by itself; this one only does it.\n\n" +
      "Example:\n  keyframe settle --json",
  },
});
