import { type ApplicationText, buildApplication, buildRouteMap, type Command, text_en } from "@stricli/core";
import { acpCommand } from "./acp/acp-command.ts";
import { agentsCommand } from "./agents/agents-command.ts";
import { blameCommand } from "./blame/blame-command.ts";
import { ciCommands } from "./ci/ci-command.ts";
import { cleanCommand } from "./clean/clean-command.ts";
import type { CliContext } from "./command/context.ts";
import { describeError, exitCodeOf } from "./command/errors.ts";
import { completionCommand } from "./completion/completion-command.ts";
import { demoCommand } from "./demo/demo-command.ts";
import { diffCommand } from "./diff/diff-command.ts";
import { disableCommand } from "./disable/disable-command.ts";
import { doctorCommand } from "./doctor/doctor-command.ts";
import { enableCommand } from "./enable/enable-command.ts";
import { explainCommand } from "./explain/explain-command.ts";
import { exportCommand } from "./export/export-command.ts";
import { fetchCommand } from "./fetch/fetch-command.ts";
import { forkCommand } from "./fork/fork-command.ts";
import { hookCommand } from "./hook/hook-command.ts";
import { humanCommand } from "./human/human-command.ts";
import { imageCommands } from "./image/image-command.ts";
import { journalCommand } from "./journal/journal-command.ts";
import { listCommand } from "./list/list-command.ts";
import { logCommand } from "./log/log-command.ts";
import { lspCommand } from "./lsp/lsp-command.ts";
import { markCommand } from "./mark/mark-command.ts";
import { mcpCommand } from "./mcp/mcp-command.ts";
import { migrateCommand } from "./migrate/migrate-command.ts";
import { printableText } from "./output/terminal.ts";
import { pushCommand } from "./push/push-command.ts";
import { raceRoutes } from "./race/race-command.ts";
import { recordCommand } from "./record/record-command.ts";
import { redactCommand } from "./redact/redact-command.ts";
import { reportCommand } from "./report/report-command.ts";
import { resumeCommand } from "./resume/resume-command.ts";
import { rewindCommand } from "./rewind/rewind-command.ts";
import { rmCommand } from "./rm/rm-command.ts";
import { runCommand } from "./run/run-command.ts";
import { sandboxRoutes } from "./sandbox/commands.ts";
import { searchCommand } from "./search/search-command.ts";
import { serveCommand } from "./serve/serve-command.ts";
import { sessionCommand } from "./session/session-command.ts";
import { settleCommand } from "./settle/settle-command.ts";
import { showCommand } from "./show/show-command.ts";
import { snapshotRoutes } from "./snapshot/commands.ts";
import { statsCommand } from "./stats/stats-command.ts";
import { statusCommand } from "./status/status-command.ts";
import { timelineCommand } from "./timeline/timeline-command.ts";
import { tokensCommand } from "./tokens/tokens-command.ts";
import { traceCommand } from "./trace/trace-command.ts";
import { versionCommand } from "./version/version-command.ts";
import { webRoutes } from "./web/web-command.ts";

export const rootRoutes = buildRouteMap<string, CliContext>({
  routes: {
    enable: enableCommand,
    disable: disableCommand,
    status: statusCommand,
    agents: agentsCommand,
    run: runCommand,
    human: humanCommand,
    blame: blameCommand,
    stats: statsCommand,
    report: reportCommand,
    export: exportCommand,
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
    timeline: timelineCommand,
    mark: markCommand,
    fork: forkCommand,
    race: raceRoutes,
    mcp: mcpCommand,
    acp: acpCommand,
    lsp: lspCommand,
    web: webRoutes,
    migrate: migrateCommand,
    redact: redactCommand,
    rm: rmCommand,
    image: imageCommands,
    sandbox: sandboxRoutes,
    snapshot: snapshotRoutes,
    serve: serveCommand,
    record: recordCommand,
    journal: journalCommand,
    settle: settleCommand,
    doctor: doctorCommand,
    clean: cleanCommand,
    ci: ciCommands,
    trace: traceCommand,
    hook: hookCommand,
    completion: completionCommand,
    demo: demoCommand,
    version: versionCommand,
  },
  // one verb for one thing; the old spellings, and those of other tools, still work
  aliases: { ls: "list", gc: "clean", checkpoint: "record" },
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
  let target: RoutingTarget = rootRoutes;
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

type RoutingTarget = typeof rootRoutes | Command<CliContext>;

/** What the parser says of a wrong command line repeats words of it, which may come from a file or a web page. */
const safeText: ApplicationText = {
  ...text_en,
  noCommandRegisteredForInput: (args) => printableText(text_en.noCommandRegisteredForInput(args)),
  exceptionWhileParsingArguments(exception, ansiColor) {
    return printableText(text_en.exceptionWhileParsingArguments.call(this, exception, ansiColor));
  },
  exceptionWhileRunningCommand: describeError,
  commandErrorResult: describeError,
};

export const application = buildApplication<CliContext>(rootRoutes, {
  name: "keyframe",
  scanner: { caseStyle: "allow-kebab-for-camel", allowArgumentEscapeSequence: true },
  documentation: { caseStyle: "convert-camel-to-kebab", disableAnsiColor: true },
  localization: {
    text: safeText,
  },
  determineExitCode: exitCodeOf,
});
