import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";

export const demoCommand = buildCommand<{ readonly keep?: boolean }, [], CliContext>({
  loader: async () => (await import("./demo.ts")).demo,
  parameters: {
    flags: {
      keep: {
        kind: "boolean",
        optional: true,
        withNegated: false,
        brief: "Keep the repository",
      },
    },
  },
  docs: {
    brief: "Show in a throw-away repository what Keyframe does",
    fullDescription:
      "Makes a repository in the temporary directory, replays in it what a session of Claude Code and one of Codex told their hooks, has a person write a line between them, and shows who wrote every line. Needs no network and no agent.\n\nExample:\n  keyframe demo --keep",
  },
});
