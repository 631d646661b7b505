import { buildCommand, buildRouteMap } from "@stricli/core";
import type { CliContext } from "../command/context.ts";
import { jsonFlag } from "../command/flags.ts";
import type { CiFlags } from "./ci.ts";
import type { CiInstallFlags } from "./ci-install.ts";

const revision = (brief: string) =>
  ({ kind: "parsed", parse: String, optional: true, brief, placeholder: "revision" }) as const;

const ciRunCommand = buildCommand<CiFlags, [], CliContext>({
  loader: async () => (await import("./ci.ts")).ci,
  parameters: {
    flags: {
      before: revision("The branch before the push (default: what the pipeline says)"),
      after: revision("The branch after it (default: what the pipeline says, else HEAD)"),
      remote: {
        kind: "parsed",
        parse: String,
        optional: true,
        brief: "Where notes are fetched and pushed (default: the remote that checkpoints belong to)",
        placeholder: "remote",
      },
      dryRun: {
        kind: "boolean",
        optional: true,
        withNegated: false,
        brief: "Say what would be noted; write and push nothing",
      },
      json: jsonFlag,
    },
  },
  docs: {
    brief: "Give squashed and rebased commits the owners and links of the commits they were made from",
    fullDescription: `For a pipeline that runs when commits arrive on a branch: finds the pull or merge request of each new commit (by the service's API where a token is set, by messages, by refs/pull/*/head or refs/merge-requests/*/head, by the same change), carries owners and checkpoint links over, and pushes the notes. What has a note is left alone. Nothing is written in a pipeline of a pull or merge request.

Examples:
  keyframe ci
  keyframe ci --before HEAD~3 --dry-run`,
  },
});

const ciInstallCommand = buildCommand<CiInstallFlags, [], CliContext>({
  loader: async () => (await import("./ci-install.ts")).ciInstall,
  parameters: {
    flags: {
      forge: {
        kind: "enum",
        values: ["github", "gitlab"],
        optional: true,
        brief: "Whose pipeline (default: what the remote's address and the files say)",
      },
      branch: {
        kind: "parsed",
        parse: String,
        optional: true,
        brief: "The branch that pull requests are merged into (default: the remote's default branch)",
        placeholder: "name",
      },
      dryRun: {
        kind: "boolean",
        optional: true,
        withNegated: false,
        brief: "Show the files; write nothing",
      },
      json: jsonFlag,
    },
  },
  docs: {
    brief: "Write the workflow file that runs `keyframe ci` on GitHub or GitLab",
    fullDescription: "Example:\n  keyframe ci install --forge github",
  },
});

export const ciCommands = buildRouteMap<"run" | "install", CliContext>({
  routes: { run: ciRunCommand, install: ciInstallCommand },
  defaultCommand: "run",
  docs: { brief: "Settle what a service merged, in a pipeline" },
});
