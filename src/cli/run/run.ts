import { basename } from "node:path";
import { asName } from "../../agents/fields.ts";
import { KeyframeError } from "../../base/errors.ts";
import { mustFindRepository } from "../../git/repository.ts";
import { isSwitchedOff } from "../../state/switch.ts";
import { ignoreInterrupts, shellExitCode } from "../../system/process/foreground.ts";
import { randomHex } from "../../system/random.ts";
import { RunWatch } from "../../workflows/run/watch-run.ts";
import type { CliContext } from "../command/context.ts";
import { settleFirst } from "../command/settle-first.ts";
import type { RunFlags } from "./run-command.ts";

/** How often is looked whether the work tree is quiet: at least so long, and so many times what a look takes. */
const shortestPauseMs = 1000;
const pausesPerLook = 20;

/** `keyframe run` */
export async function run(this: CliContext, flags: RunFlags, ...words: string[]): Promise<void> {
  const [program, ...args] = words;
  if (program === undefined) throw new KeyframeError("usage", "name a command after --");
  const repository = mustFindRepository(this.cwd, this);
  if (repository.workTree === undefined)
    throw new KeyframeError("refused", `${repository.gitDir} is a bare repository: nothing is edited in it`);
  if (isSwitchedOff(repository, this.files))
    throw new KeyframeError("refused", "Keyframe is disabled in this repository", {
      hint: "turn it on with `keyframe enable`",
    });
  const tool = asName(flags.agent ?? basename(program));
  if (tool === undefined) throw new KeyframeError("usage", "the name of an agent is one short line");
  const agent = { tool, id: `run-${randomHex(this.random, 16)}`, model: asName(flags.model) ?? "unknown" };
  const watch = new RunWatch({ repository, cwd: this.cwd, agent, command: words.join(" ") }, this);
  // the terminal interrupts the program too; what it had done by then is still looked at
  const heed = ignoreInterrupts();
  const timer = lookNowAndThen(watch, this);
  try {
    const { exited } = this.processes.attach(program, args, {
      cwd: this.cwd,
      env: this.env,
      stdin: "inherit",
    });
    this.process.exitCode = shellExitCode(await exited);
  } finally {
    timer.stop();
    for (const problem of watch.end()) this.terminal.note(`keyframe: ${problem}`);
    await settleFirst(this);
    heed();
  }
}

function lookNowAndThen(watch: RunWatch, { clock }: CliContext): { stop(): void } {
  const controller = new AbortController();
  const loop = async () => {
    for (let pauseMs = shortestPauseMs; ; ) {
      await clock.sleep(pauseMs, controller.signal);
      const startMs = clock.monotonicMs();
      watch.lookIfQuiet();
      pauseMs = Math.max(shortestPauseMs, (clock.monotonicMs() - startMs) * pausesPerLook);
    }
  };
  loop().catch(() => undefined); // it ends by being stopped, and a look that fails is made up for at the end
  return { stop: () => controller.abort(new Error("the program has ended")) };
}
