import { finished } from "node:stream/promises";
import { errorText } from "../../base/errors.ts";
import { shellQuote } from "../../base/text/shell-words.ts";
import type { Git } from "../../git/git.ts";
import type { GuestChannel } from "../../sandbox/guest/channel.ts";
import { exitCodeFor } from "../../sandbox/guest/message.ts";
import { openGuestSession } from "../../sandbox/guest/session.ts";
import type { SandboxContext } from "../../sandbox/store/home.ts";
import { ignoreInterrupts } from "../../system/process/foreground.ts";
import { runRefs } from "../../timeline/machines/machine-run.ts";
import { branchOfRun } from "../../workflows/machine/bring-out.ts";
import { guestEnvironment, guestScript } from "../../workflows/machine/guest-shell.ts";
import type { StartedMachine } from "../../workflows/machine/start-machine.ts";
import { type TakenMoment, takeMoment } from "../../workflows/machine/take-moment.ts";
import { watchTurns } from "../../workflows/machine/watch-turns.ts";
import type { CliContext } from "../command/context.ts";
import { printable } from "../output/terminal.ts";
import { useRawTerminal } from "../sandbox/run-exec.ts";

/** Runs an agent in a machine, and takes out what it does at each turn's end; ends the way to the model. */
export async function workInMachine(
  context: CliContext,
  git: Git,
  {
    machine,
    words,
    sandboxContext,
  }: {
    readonly machine: StartedMachine;
    readonly words: readonly string[];
    readonly sandboxContext: SandboxContext;
  },
): Promise<TakenMoment | undefined> {
  const session = await openGuestSession(sandboxContext, machine.record);
  try {
    return await work(context, git, {
      machine,
      guest: session.guest,
      words,
      name: machine.run.name,
      sandboxContext,
    });
  } finally {
    await session.close();
    await machine.proxy?.close();
  }
}

async function work(
  context: CliContext,
  git: Git,
  {
    machine,
    guest,
    words,
    name,
    sandboxContext,
  }: {
    readonly machine: StartedMachine;
    readonly guest: GuestChannel;
    readonly words: readonly string[];
    readonly name: string;
    readonly sandboxContext: SandboxContext;
  },
): Promise<TakenMoment | undefined> {
  const deps = { sandboxContext, env: context.env, clock: context.clock, guest };
  let last: TakenMoment | undefined;
  const take = async () => {
    last = await takeMoment(git, deps, name);
    for (const problem of last.problems) context.terminal.note(`keyframe: ${printable(problem)}`);
  };
  const watch = watchTurns(guest, machine.run.directory, () =>
    // the next moment, or the one at the end, makes up for it
    take().catch((error: unknown) => context.terminal.note(`keyframe: ${errorText(error)}`)),
  );
  const heed = ignoreInterrupts();
  let exitCode = 1;
  try {
    exitCode = await attachInGuest(guest, {
      argv: words,
      cwd: machine.run.directory,
      env: { ...guestEnvironment, ...machine.env, TERM: context.env["TERM"] ?? "dumb" },
    });
  } finally {
    heed();
    await watch.stop();
    // what hooks had left to others ended with the agent
    await guestScript(guest, "keyframe settle", { cwd: machine.run.directory, to: "settle" }).catch(
      (error: unknown) => context.terminal.note(`keyframe: ${errorText(error)}`),
    );
    await take();
    tell(context, { machine, last, name });
  }
  // last: what could not be brought out is this command's failure, however the agent ended
  context.process.exitCode = exitCode;
  return last;
}

/** Runs a command in a guest with this terminal, or these pipes; returns its exit code as a shell gives it. */
async function attachInGuest(
  guest: GuestChannel,
  request: {
    readonly argv: readonly string[];
    readonly cwd: string;
    readonly env: Readonly<Record<string, string>>;
  },
): Promise<number> {
  const { stdin, stdout, stderr } = globalThis.process;
  const isTerminal = stdin.isTTY && stdout.isTTY;
  const command = guest.run({
    ...request,
    ...(isTerminal ? { terminal: { rows: stdout.rows, columns: stdout.columns } } : {}),
  });
  const restore = isTerminal ? useRawTerminal(command) : () => undefined;
  try {
    stdin.pipe(command.stdin);
    command.stdin.on("error", () => undefined); // it ended: its exit code tells
    command.stdout.pipe(stdout, { end: false });
    command.stderr.pipe(stderr, { end: false });
    const exit = await command.exited;
    await Promise.all([finished(command.stdout), finished(command.stderr)]);
    return exitCodeFor(exit);
  } finally {
    restore();
    stdin.unpipe(command.stdin);
    stdin.pause();
  }
}

function tell(
  { terminal }: CliContext,
  {
    machine,
    last,
    name,
  }: { readonly machine: StartedMachine; readonly last: TakenMoment | undefined; readonly name: string },
): void {
  if (last === undefined) return;
  const branch = branchOfRun(machine.run).slice("refs/heads/".length);
  const quotedBranch = shellQuote(branch);
  const { head, refused } = last.out;
  if (refused) {
    const quotedTheirs = shellQuote(`${runRefs(name)}heads/${machine.run.branch}`);
    terminal.note(`keyframe: ${branch} has other commits than the machine: it stays as it is`);
    terminal.note(`  Take the machine's: git branch -f ${quotedBranch} ${quotedTheirs}`);
    terminal.note(`  Join both: git checkout ${quotedBranch} && git merge ${quotedTheirs}`);
    terminal.note(`  Keep both: git branch ${shellQuote(`${branch}-2`)} ${quotedTheirs}`);
  } else
    terminal.note(`keyframe: ${head.slice(0, 12)} on ${branch}; bring it here: git merge ${quotedBranch}`);
  terminal.note(`  What is not committed: keyframe timeline --all, keyframe fork <moment>`);
  terminal.note(
    `  The machine goes on: keyframe sandbox exec ${name} -it -- bash; end it: keyframe sandbox rm ${name}`,
  );
}
