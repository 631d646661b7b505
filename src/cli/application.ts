import { buildApplication, buildRouteMap, type Command, text_en } from "@stricli/core";
import { blameCommand } from "./blame/command.ts";
import { checkpointCommand } from "./checkpoint/command.ts";
import { cleanCommand } from "./clean/command.ts";
import { completionCommand } from "./completion/command.ts";
import type { CliContext } from "./context.ts";
import { demoCommand } from "./demo/command.ts";
import { diffCommand } from "./diff/command.ts";
import { disableCommand } from "./disable/command.ts";
import { doctorCommand } from "./doctor/command.ts";
import { enableCommand } from "./enable/command.ts";
import { describeError, exitCodeOf } from "./errors.ts";
import { explainCommand } from "./explain/command.ts";
import { fetchCommand } from "./fetch/command.ts";
import { hookCommand } from "./hook/command.ts";
import { imageCommands } from "./image/command.ts";
import { journalCommand } from "./journal/command.ts";
import { listCommand } from "./list/command.ts";
import { logCommand } from "./log/command.ts";
import { migrateCommand } from "./migrate/command.ts";
import { pushCommand } from "./push/command.ts";
import { resumeCommand } from "./resume/command.ts";
import { rewindCommand } from "./rewind/command.ts";
import { sandboxRoutes } from "./sandbox/commands.ts";
import { searchCommand } from "./search/command.ts";
import { serveCommand } from "./serve/command.ts";
import { sessionCommand } from "./session/command.ts";
import { settleCommand } from "./settle/command.ts";
import { showCommand } from "./show/command.ts";
import { snapshotRoutes } from "./snapshot/commands.ts";
import { statsCommand } from "./stats/command.ts";
import { statusCommand } from "./status/command.ts";
import { tokensCommand } from "./tokens/command.ts";
import { traceCommand } from "./trace/command.ts";
import { versionCommand } from "./version/command.ts";

const root = buildRouteMap<string, CliContext>({
  routes: {
    enable: enableCommand,
    disable: disableCommand,
    status: statusCommand,
    blame: blameCommand,
    stats: statsCommand,
    show: showCommand,
    log: logCommand,
    diff: diffCommand,
    list: listCommand,
    explain: explainCommand,
    search: searchCommand,
    tokens: tokensCommand,
    resume: resumeCommand,
    fetch: fetchCommand,
    push: pushCommand,
    session: sessionCommand,
    rewind: rewindCommand,
    migrate: migrateCommand,
    image: imageCommands,
    sandbox: sandboxRoutes,
    snapshot: snapshotRoutes,
    serve: serveCommand,
    checkpoint: checkpointCommand,
    journal: journalCommand,
    settle: settleCommand,
    doctor: doctorCommand,
    clean: cleanCommand,
    trace: traceCommand,
    hook: hookCommand,
    completion: completionCommand,
    demo: demoCommand,
    version: versionCommand,
  },
  docs: {
    brief:
      "Checkpoints for AI coding agents: who wrote every line, the conversation behind it, and the machine it worked on",
  },
});

/**
 * The words of a command line that name the command, as far as there is one: what follows them is the user's and kept
 * nowhere.
 */
export function commandName(argv: readonly string[]): string {
  let target: RoutingTarget = root;
  const words: string[] = [];
  for (const word of argv) {
    if (!("getRoutingTargetForInput" in target)) break;
    const next: RoutingTarget | undefined = target.getRoutingTargetForInput(word);
    if (next === undefined) break;
    words.push(word);
    target = next;
  }
  return words.join(" ");
}

type RoutingTarget = typeof root | Command<CliContext>;

export const application = buildApplication<CliContext>(root, {
  name: "keyframe",
  scanner: { caseStyle: "allow-kebab-for-camel", allowArgumentEscapeSequence: true },
  documentation: { caseStyle: "convert-camel-to-kebab", disableAnsiColor: true },
  localization: {
    text: { ...text_en, exceptionWhileRunningCommand: describeError, commandErrorResult: describeError },
  },
  determineExitCode: exitCodeOf,
});
