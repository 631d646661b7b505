import { buildApplication, buildRouteMap, text_en } from "@stricli/core";
import type { CliContext } from "./context.ts";
import { describeError, exitCodeOf } from "./errors.ts";

import { imageMountCommand } from "./image-mount/command.ts";
import { imageServeCommand } from "./image-serve/command.ts";
import { versionCommand } from "./version/command.ts";

const root = buildRouteMap<string, CliContext>({
  routes: {
    image: buildRouteMap({
      routes: { serve: imageServeCommand, mount: imageMountCommand },
      docs: { brief: "Disk and memory images that are fetched as they are read" },
    }),
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
