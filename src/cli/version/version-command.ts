import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";

export const versionCommand = buildCommand<{ readonly json?: boolean }, [], CliContext>({
  loader: async () => (await import("./version.ts")).version,
  parameters: {
    flags: { json: { kind: "boolean", optional: true, brief: "Print JSON" } },
  },
  docs: {
    brief: "Print the version of Keyframe, Node and git",
    fullDescription: "Prints the version of Keyframe, Node and git.\n\nExample:\n  keyframe version --json",
  },
});
