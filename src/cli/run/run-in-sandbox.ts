import { hasKnownEndpoint } from "../../agents/model-endpoints.ts";
import { KeyframeError } from "../../base/errors.ts";
import { parseByteSize } from "../../base/text/quantities.ts";
import type { Git } from "../../git/git.ts";
import { isImage } from "../../sandbox/lifecycle/create-sandboxes.ts";
import { removeSandbox } from "../../sandbox/removal/remove-sandbox.ts";
import type { SandboxContext } from "../../sandbox/store/home.ts";
import { listSandboxes } from "../../sandbox/store/sandbox-store.ts";
import { freeRunName, type MachineRun, readMachineRun } from "../../timeline/machines/machine-run.ts";
import { attachMachineRun, startMachine } from "../../workflows/machine/start-machine.ts";
import type { CliContext } from "../command/context.ts";
import { printable } from "../output/terminal.ts";
import { sandboxContextOf } from "../sandbox/context.ts";
import type { RunFlags } from "./run-command.ts";
import type { RunRequest } from "./run-request.ts";
import { workInMachine } from "./work-in-machine.ts";

const defaultMemory = "2G";

/** `keyframe run --in sandbox` */
export async function runInSandbox(
  context: CliContext,
  git: Git,
  { request, flags }: { readonly request: RunRequest; readonly flags: RunFlags },
): Promise<void> {
  const { tool } = request;
  const known =
    flags.name === undefined ? undefined : readMachineRun(git.repository, context.files, flags.name);
  const isCutOff = known?.ready === false;
  if (known !== undefined && !isCutOff)
    return goOn(context, git, { run: known, words: request.words, flags });
  if (flags.image === undefined)
    throw new KeyframeError("usage", "--in sandbox needs --image", {
      hint: `\`keyframe image build dev --agent ${hasKnownEndpoint(tool) ? tool : "claude"}\` makes one`,
    });
  if (!hasKnownEndpoint(tool))
    throw new KeyframeError("unsupported", `how ${tool} reaches its model from a machine is not known`, {
      hint: "claude and codex can be run in a machine; --agent says which one another command starts",
    });
  const name = flags.name ?? freeRunName(git.repository, context.files, tool);
  const sandboxContext = sandboxContextOf(context);
  if (known !== undefined) await removeUnfinished(sandboxContext, known);
  const machine = await context.trace.span("machine", () =>
    startMachine(
      git,
      { ...context, sandboxContext },
      {
        name,
        from: flags.image ?? "",
        tool,
        allow: flags.allow ?? [],
        ...machineMemory(sandboxContext, flags.image ?? "", flags.memory),
        ...(flags.cpus === undefined ? {} : { cpus: flags.cpus }),
        progress: (text) => context.terminal.note(`keyframe: ${text}`),
      },
    ),
  );
  context.terminal.note(`keyframe: ${printable(tool)} works in the machine ${name}`);
  await workInMachine(context, git, { machine, words: request.words, sandboxContext });
}

/** The machine of a run that was cut off before its agent could start: nothing of anybody's is in it. */
async function removeUnfinished(sandboxContext: SandboxContext, { sandbox }: MachineRun): Promise<void> {
  const left = listSandboxes(sandboxContext).find(({ id }) => id === sandbox);
  if (left !== undefined) await removeSandbox(sandboxContext, left);
}

/** In the machine of an earlier run. */
async function goOn(
  context: CliContext,
  git: Git,
  {
    run,
    words,
    flags,
  }: { readonly run: MachineRun; readonly words: readonly string[]; readonly flags: RunFlags },
): Promise<void> {
  if ([flags.image, flags.allow, flags.memory, flags.cpus].some((each) => each !== undefined))
    throw new KeyframeError("usage", `the machine of ${run.name} is there: it goes on as it was started`, {
      hint: "leave --image, --allow, --memory and --cpus out, or choose another --name",
    });
  const sandboxContext = sandboxContextOf(context);
  const machine = await attachMachineRun({ ...context, sandboxContext }, run);
  await workInMachine(context, git, { machine, words, sandboxContext });
}

/** Of a machine for an agent; a snapshot has its own. */
export function machineMemory(
  sandboxContext: SandboxContext,
  image: string,
  size: string | undefined,
): { readonly memoryMiB?: number } {
  const wanted = size ?? (isImage(sandboxContext, image) ? defaultMemory : undefined);
  return wanted === undefined ? {} : { memoryMiB: Math.ceil(parseByteSize(wanted) / 1024 ** 2) };
}
