import { KeyframeError } from "../../base/errors.ts";
import type { Git } from "../../git/git.ts";
import { startContained } from "../../system/process/contained-process.ts";
import { interruptSignal } from "../../system/process/interrupt.ts";
import { type ContinuedFork, continueForks } from "../../timeline/fork/continue-fork.ts";
import type { Fork } from "../../timeline/fork/fork.ts";
import type { CliContext } from "../command/context.ts";
import { printable } from "../output/terminal.ts";
import { printFork, withCommands } from "./print-fork.ts";

/** Why an agent that is connected may tell nothing. */
const unheardOf = "its hooks told nothing: they may wait for the agent's trust; its lines count as unknown";

/** Of what an agent printed, shown when it has ended. */
const shownLines = 20;

/** Gives forks their prompts and waits; exit code 1 where an agent did not do its own. */
export async function runPrompts(
  context: CliContext,
  git: Git,
  {
    forks,
    prompts,
    more,
    json,
  }: {
    readonly forks: readonly Fork[];
    readonly prompts: readonly string[];
    readonly more: readonly string[];
    readonly json: boolean;
  },
): Promise<void> {
  if (!json) for (const fork of forks) printFork(context, fork);
  const interrupt = interruptSignal(() => new KeyframeError("closed", "interrupted"));
  const asked = forks.map((fork, index) => ({ fork, prompt: prompts[index] ?? prompts[0] ?? "", more }));
  try {
    const done = await context.trace.span("prompts", () =>
      continueForks(git.repository, { ...context, startContained, signal: interrupt.signal }, asked),
    );
    if (json)
      context.terminal.json(forks.map((fork, index) => ({ ...withCommands(fork), ran: done[index] })));
    else for (const each of done) printContinued(context, each);
    if (done.some(({ code }) => code !== 0)) context.process.exitCode = 1;
  } finally {
    interrupt.stop();
  }
}

function printContinued(
  { terminal, files }: CliContext,
  { name, session, code, recorded, logPath }: ContinuedFork,
): void {
  if (session === undefined) {
    terminal.note(`${name}: no conversation that its agent continues without a terminal`);
    return;
  }
  terminal.out(`${terminal.style("yellow", name)}  ${code === 0 ? "done" : `ended with exit code ${code}`}`);
  if (!recorded) terminal.note(`  ${unheardOf}`);
  const printed = files.readIfExists(logPath)?.toString("utf8").trimEnd() ?? "";
  for (const line of printed.split("\n").slice(-shownLines))
    if (line !== "") terminal.out(`  ${printable(line)}`);
}
