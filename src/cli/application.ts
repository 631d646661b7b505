import { buildApplication, buildRouteMap, text_en } from "@stricli/core";
import type { CliContext } from "./context.ts";
import { describeError, exitCodeOf } from "./errors.ts";
import { explainCommand } from "./explain/command.ts";
import { listCommand } from "./list/command.ts";
import { migrateCommand } from "./migrate/command.ts";
import { searchCommand } from "./search/command.ts";
import { tokensCommand } from "./tokens/command.ts";
import { versionCommand } from "./version/command.ts";

const root = buildRouteMap<string, CliContext>({
  routes: {
    explain: explainCommand,
    list: listCommand,
    migrate: migrateCommand,
    search: searchCommand,
    tokens: tokensCommand,
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
