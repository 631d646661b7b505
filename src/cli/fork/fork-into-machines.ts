import { forkCommandOf } from "../../agents/conversations/conversation-place.ts";
import { continueHeadless } from "../../agents/headless-commands.ts";
import { KeyframeError } from "../../base/errors.ts";
import type { Git } from "../../git/git.ts";
import { freeRunName, readMachineRun } from "../../timeline/machines/machine-run.ts";
import type { Moment } from "../../timeline/moment.ts";
import { forkMachines, type StartedMachine } from "../../workflows/machine/start-machine.ts";
import type { CliContext } from "../command/context.ts";
import { workInMachine } from "../run/work-in-machine.ts";
import { sandboxContextOf } from "../sandbox/context.ts";
import type { ForkFlags } from "./fork-command.ts";

const maxMachines = 16;

/** `keyframe fork --in sandbox`: copies of the machine that a moment had; with --run one after the other does its prompt. */
export async function forkIntoMachines(
  context: CliContext,
  git: Git,
  {
    moment,
    flags,
    more,
  }: { readonly moment: Moment; readonly flags: ForkFlags; readonly more: readonly string[] },
): Promise<void> {
  const { machine } = moment;
  const parent = machine && readMachineRun(git.repository, context.files, machine.run);
  if (machine?.snapshot === undefined || parent === undefined)
    throw new KeyframeError(
      "refused",
      `moment ${moment.id} has no machine ${machine === undefined ? "" : "any more"}`.trim(),
      {
        hint: "`keyframe timeline --all` and a moment show machines; without --in sandbox it continues in a worktree",
      },
    );
  if (flags.path !== undefined)
    throw new KeyframeError("usage", "--path cannot be combined with --in sandbox");
  const prompts = flags.run ?? [];
  const count = flags.count ?? Math.max(1, prompts.length);
  if (count < 1 || count > maxMachines || (prompts.length > 1 && prompts.length !== count))
    throw new KeyframeError(
      "usage",
      `${prompts.length} prompts do not go with ${count} machines (1 to ${maxMachines})`,
    );
  const base = flags.name ?? freeRunName(git.repository, context.files, parent.name);
  const names = Array.from({ length: count }, (_, index) => (count === 1 ? base : `${base}-${index + 1}`));
  const taken = names.find((name) => readMachineRun(git.repository, context.files, name) !== undefined);
  if (taken !== undefined)
    throw new KeyframeError("refused", `a run named ${taken} exists already`, {
      hint: "choose another --name",
    });
  if (flags.dryRun) {
    if (flags.json) context.terminal.json({ moment: moment.id, machines: names });
    else
      for (const name of names)
        context.terminal.out(`would start the machine ${name} from ${machine.snapshot}`);
    return;
  }
  const sandboxContext = sandboxContextOf(context);
  const { snapshot } = machine;
  const started = await context.trace.span("machines", () =>
    forkMachines(git, { ...context, sandboxContext }, { parent, snapshot, names }),
  );
  try {
    for (const [index, each] of started.entries()) {
      const prompt = prompts[index] ?? prompts[0];
      if (prompt === undefined) continue;
      const words = wordsOf(each, moment, { prompt, more });
      await workInMachine(context, git, { machine: each, words, sandboxContext });
    }
  } finally {
    for (const { proxy } of started) await proxy?.close();
  }
  if (flags.json) context.terminal.json(started.map(({ run }) => run));
  else for (const { run } of started) tellMachine(context, run.name, moment.sessions.at(-1));
}

function wordsOf(
  { run }: StartedMachine,
  { sessions }: Moment,
  { prompt, more }: { readonly prompt: string; readonly more: readonly string[] },
): readonly string[] {
  const session = sessions.at(-1);
  const command =
    session &&
    continueHeadless({ tool: session.tool, session: session.session, prompt, more, isShared: true });
  if (command === undefined)
    throw new KeyframeError(
      "unsupported",
      `the moment has no conversation that ${run.tool} continues with a prompt`,
    );
  return [command.program, ...command.args];
}

/** Says how a machine that was started is gone on with. */
export function tellMachine(
  { terminal }: CliContext,
  name: string,
  session: { readonly tool: string; readonly session: string } | undefined,
): void {
  terminal.out(terminal.style("yellow", name));
  const command = session === undefined ? undefined : forkCommandOf(session.tool, session.session);
  terminal.out(
    command === undefined
      ? `  Look in it: keyframe sandbox exec ${name} -it -- bash`
      : `  Continue with: keyframe run --in sandbox --name ${name} -- ${command}`,
  );
}
