import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";
import { switchFlag, textFlag } from "../command/flags.ts";
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
      machine: switchFlag("Start the machine of that moment too: from here, or from keyframe.store"),
      name: textFlag("With --machine: name of the run (default: that of the run it was)", "name"),
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
      "Checks out the branch or commit, gets what is missing from the remote (the trees, then exactly the files needed), puts each session where its agent looks for it and prints the command that continues it. Uncommitted work stops it before anything changes.\n\nWith --machine the machine that the checkpoint names starts too, as a run of its own: what it touches comes from the store that `git config keyframe.store` names, and is verified. Without a store, code and conversation come back and the command says what is missing. A turn of a machine is resumed in its machine alone.\n\nExamples:\n  keyframe resume feature/login\n  keyframe resume feature/login --machine",
  },
});
