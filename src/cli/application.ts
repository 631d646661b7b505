import { buildApplication, buildRouteMap, text_en } from "@stricli/core";
import { blameCommand } from "./blame/command.ts";
import { checkpointCommand } from "./checkpoint/command.ts";
import type { CliContext } from "./context.ts";
import { disableCommand } from "./disable/command.ts";
import { doctorCommand } from "./doctor/command.ts";
import { enableCommand } from "./enable/command.ts";
import { describeError, exitCodeOf } from "./errors.ts";
import { imageMountCommand } from "./image-mount/command.ts";
import { imageServeCommand } from "./image-serve/command.ts";
import { journalCommand } from "./journal/command.ts";
import { settleCommand } from "./settle/command.ts";
import { statusCommand } from "./status/command.ts";
import { versionCommand } from "./version/command.ts";

const root = buildRouteMap<string, CliContext>({
  routes: {
    image: buildRouteMap({
      routes: { serve: imageServeCommand, mount: imageMountCommand },
      docs: { brief: "Disk and memory images that are fetched as they are read" },
    }),
    enable: enableCommand,
    disable: disableCommand,
    status: statusCommand,
    checkpoint: checkpointCommand,
    blame: blameCommand,
    journal: journalCommand,
    settle: settleCommand,
    doctor: doctorCommand,
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
