import { errorText } from "../../base/errors.ts";
import type { Git } from "../../git/git.ts";
import type { GuestChannel } from "../../sandbox/guest/channel.ts";
import type { SandboxId } from "../../sandbox/ids.ts";
import { branchSandbox } from "../../sandbox/lifecycle/branch.ts";
import type { ReadySnapshot } from "../../sandbox/store/snapshot-store.ts";
import { fault } from "../../system/fault.ts";
import {
  type MachineRun,
  type RunMoment,
  readMachineRun,
  writeMachineRun,
} from "../../timeline/machines/machine-run.ts";
import { bringFiles } from "./bring-files.ts";
import { type BringOutDeps, type BroughtOut, bringOut } from "./bring-out.ts";
import { letMachinesGo } from "./keep-machines.ts";

export interface TakenMoment {
  readonly out: BroughtOut;
  readonly pauseMs: number;
  readonly problems: readonly string[];
}

/**
 * What happens at the end of a turn: the running machine is saved, what its repository has comes out, and the newest turn
 * gets the machine. Whatever fails later, what came before is whole.
 */
export async function takeMoment(
  git: Git,
  deps: BringOutDeps & { readonly guest: GuestChannel },
  name: string,
): Promise<TakenMoment> {
  const { sandboxContext, guest } = deps;
  const run = mustRead(git, deps, name);
  const writing = await branchSandbox(sandboxContext, run.sandbox as SandboxId);
  fault("machine:after-pause");
  const out = await bringOut(git, deps, run);
  fault("machine:after-fetch");
  const problems = await bringFiles(git.repository, { files: sandboxContext.files, guest, run }, out.turns);
  const snapshot = await writing.durable.catch((error: unknown) => {
    problems.push(`the machine was not saved: ${errorText(error)}`);
    return undefined;
  });
  // of a program that tells no turns its last commit is the moment
  const commit = out.turns[0]?.commit ?? out.head;
  const moment = describe(commit, snapshot, new Date(deps.clock.nowMs()).toISOString());
  // of several machines of one moment the last counts
  const next: MachineRun = { ...run, moments: [...run.moments, moment] };
  writeMachineRun(git.repository, sandboxContext.files, next);
  fault("machine:after-moment");
  writeMachineRun(git.repository, sandboxContext.files, await letMachinesGo(sandboxContext, next));
  return { out, pauseMs: writing.pause.totalMs, problems };
}

function mustRead(git: Git, { sandboxContext }: BringOutDeps, name: string): MachineRun {
  const run = readMachineRun(git.repository, sandboxContext.files, name);
  if (run === undefined) throw new Error(`the record of run ${name} is gone`);
  return run;
}

function describe(commit: string, snapshot: ReadySnapshot | undefined, at: string): RunMoment {
  if (snapshot === undefined) return { commit, at };
  const sizeBytes = (snapshot.memory?.fileBytes ?? 0) + (snapshot.deviceState?.sizeBytes ?? 0);
  return { commit, at, snapshot: snapshot.id, sizeBytes };
}
