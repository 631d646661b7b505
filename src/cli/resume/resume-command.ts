import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";
import type { ResumeFlags } from "./resume.ts";

export const resumeCommand = buildCommand<ResumeFlags, [string], CliContext>({
  loader: async () => (await import("./resume.ts")).resume,
  parameters: {
    flags: {
      force: {
        kind: "boolean",
        optional: true,
        withNegated: false,
        brief: "Restore also where the agent's own copy is newer; that copy is kept beside",
      },
      remote: {
        kind: "parsed",
        parse: String,
        optional: true,
        brief: "Where to get what is missing",
        placeholder: "remote",
      },
      dryRun: {
        kind: "boolean",
        optional: true,
        withNegated: false,
        brief: "Show what would happen; what is missing is fetched, nothing else changes",
      },
      json: { kind: "boolean", optional: true, withNegated: false, brief: "Print JSON" },
    },
    positional: {
      kind: "tuple",
      parameters: [{ brief: "Branch, commit or checkpoint", parse: String, placeholder: "target" }],
    },
  },
  docs: {
    brief: "Bring back the conversation behind a branch, commit or checkpoint, ready to be continued",
    fullDescription:
      "Checks out the branch or commit, gets what is missing from the remote (the trees, then exactly the files needed), puts each session where its agent looks for it and prints the command that continues it. Uncommitted work stops it before anything changes.\n\nExample:\n  keyframe resume feature/login",
  },
});
