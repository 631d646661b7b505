import { buildApplication, buildRouteMap, text_en } from "@stricli/core";
import type { CliContext } from "./context.ts";
import { describeError, exitCodeOf } from "./errors.ts";
import { imageBuildCommand } from "./image-build/command.ts";
import { sandboxRoutes } from "./sandbox/commands.ts";
import { snapshotRoutes } from "./snapshot/commands.ts";
import { versionCommand } from "./version/command.ts";

const root = buildRouteMap<string, CliContext>({
  routes: {
    image: buildRouteMap<string, CliContext>({
      routes: { build: imageBuildCommand },
      docs: { brief: "Disk images" },
    }),
    sandbox: sandboxRoutes,
    snapshot: snapshotRoutes,
    version: versionCommand,
  },
  docs: {
    brief:
      "Checkpoints for AI coding agents: who wrote every line, the conversation behind it, and the machine it worked on",
  },
});

export const application = buildApplication<CliContext>(root, {
  name: "keyframe",
  scanner: { caseStyle: "allow-kebab-for-camel", allowArgumentEscapeSequence: true },
  documentation: { caseStyle: "convert-camel-to-kebab", disableAnsiColor: true },
  localization: {
    text: { ...text_en, exceptionWhileRunningCommand: describeError, commandErrorResult: describeError },
  },
  determineExitCode: exitCodeOf,
});
