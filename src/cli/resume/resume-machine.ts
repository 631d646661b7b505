import { isKeyframeError, KeyframeError } from "../../base/errors.ts";
import type { PlannedRestore } from "../../checkpoints/resume/restore-sessions.ts";
import type { Git } from "../../git/git.ts";
import { freeRunName, type MachineRun } from "../../timeline/machines/machine-run.ts";
import type { Moment } from "../../timeline/moment.ts";
import { mustFindMoment } from "../../timeline/moments/find-moment.ts";
import { fetchMachine, findMachineHere } from "../../workflows/machine/fetch-machine.ts";
import { forkMachines } from "../../workflows/machine/start-machine.ts";
import type { CliContext } from "../command/context.ts";
import { findMachineStore } from "../command/machine-store.ts";
import { tellMachine } from "../fork/fork-into-machines.ts";
import { withImages } from "../image/open/open-repository.ts";
import { storeLocation } from "../image/store-location.ts";
import { sandboxContextOf } from "../sandbox/context.ts";

/** A turn or mark of this repository with its machine; undefined for what only checkpoints know. */
export async function findTurnWithMachine(
  { files }: CliContext,
  git: Git,
  word: string,
): Promise<Moment | undefined> {
  try {
    const moment = await mustFindMoment(git, files, word);
    return moment.kind !== "commit" && moment.machine !== undefined ? moment : undefined;
  } catch (error) {
    if (isKeyframeError(error, "not-found")) return undefined;
    throw error;
  }
}

/** A run that goes on in the machine of a checkpoint, or why there is none. */
export type ResumedMachine =
  | { readonly run: string; readonly conversation?: { readonly tool: string; readonly session: string } }
  | { readonly missing: string };

/**
 * Starts the machine that the newest of the resumed sessions names, from here or from the store, as a run of its own. Code
 * and conversation are back already: what is missing of the machine is said, and is an error only where it is not what it
 * was.
 */
export async function resumeMachine(
  context: CliContext,
  git: Git,
  {
    planned,
    name: wanted,
  }: { readonly planned: readonly PlannedRestore[]; readonly name: string | undefined },
): Promise<ResumedMachine> {
  const found = planned.findLast(({ session }) => session.metadata.machine !== undefined)?.session;
  const machine = found?.metadata.machine;
  if (found === undefined || machine === undefined)
    return { missing: "the checkpoint names none; `keyframe push --machine <moment>` sends one" };
  const sandboxContext = sandboxContextOf(context);
  if (findMachineHere(sandboxContext, machine) === undefined) {
    const store = await findMachineStore(git);
    if (store === undefined)
      return { missing: "it is elsewhere; `git config keyframe.store <location>` says where" };
    const location = storeLocation(context, store);
    await withImages(context, { store: location }, ({ repository: images, signal }) =>
      fetchMachine(sandboxContext, { images, location, signal }, machine),
    );
  }
  const { snapshot, directory, branch, base, tool } = machine;
  const run = wanted ?? freeRunName(git.repository, context.files, machine.run);
  const at = new Date(context.clock.nowMs()).toISOString();
  const place = { directory, branch, base, tool };
  const parent: MachineRun = {
    version: 1,
    name: run,
    sandbox: "",
    image: snapshot,
    ...place,
    at,
    moments: [],
  };
  const [started] = await forkMachines(
    git,
    { ...context, sandboxContext },
    { parent, snapshot, names: [run] },
  );
  await started?.proxy?.close();
  const session = found.metadata.sessionId;
  return session === undefined ? { run } : { run, conversation: { tool, session } };
}

export function printResumedMachine(context: CliContext, machine: ResumedMachine): void {
  if ("run" in machine) tellMachine(context, machine.run, machine.conversation);
  else context.terminal.note(`No machine: ${machine.missing}. Code and conversation are back without it`);
}

/** @throws KeyframeError `usage` */
export function mustSuitMachine(flags: { readonly machine?: boolean; readonly name?: string }): void {
  if (flags.name !== undefined && flags.machine !== true)
    throw new KeyframeError("usage", "--name names a machine: it needs --machine");
}
