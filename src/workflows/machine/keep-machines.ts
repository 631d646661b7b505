import { errorText } from "../../base/errors.ts";
import { removeSnapshot } from "../../sandbox/removal/remove-snapshot.ts";
import type { SandboxContext } from "../../sandbox/store/home.ts";
import { listSnapshots } from "../../sandbox/store/snapshot-store.ts";
import type { MachineRun, RunMoment } from "../../timeline/machines/machine-run.ts";

/** How many machines of turns a run keeps, for how long, and how much they may take on the disk. The newest always stays. */
export interface MachinePolicy {
  readonly count: number;
  readonly ageMs: number;
  readonly bytes: number;
}

export const defaultMachinePolicy: MachinePolicy = {
  count: 20,
  ageMs: 7 * 24 * 60 * 60_000,
  bytes: 8 * 1024 ** 3,
};

/**
 * The moments whose machines are let go, oldest first; moments are in the order of time. A machine that was saved again at
 * the same moment goes whatever the policy is: the last one counts.
 */
export function planLetGo(moments: readonly RunMoment[], policy: MachinePolicy, nowMs: number): RunMoment[] {
  const kept = moments.filter(({ snapshot }) => snapshot !== undefined);
  const gone: RunMoment[] = [];
  let bytes = 0;
  const seen = new Set<string>();
  for (const moment of [...kept].reverse()) {
    if (seen.has(moment.commit)) {
      gone.unshift(moment);
      continue;
    }
    const age = seen.size;
    seen.add(moment.commit);
    bytes += moment.sizeBytes ?? 0;
    const isOld = nowMs - Date.parse(moment.at) > policy.ageMs;
    if (age > 0 && (age >= policy.count || isOld || bytes > policy.bytes)) gone.unshift(moment);
  }
  return gone;
}

/**
 * Removes what the policy does not keep. One that was given a name, or that something depends on, is left: it is somebody's.
 */
export async function letMachinesGo(
  sandboxContext: SandboxContext,
  run: MachineRun,
  policy: MachinePolicy = defaultMachinePolicy,
): Promise<MachineRun> {
  const gone = new Set<string>();
  const known = new Map(listSnapshots(sandboxContext).map((each) => [String(each.id), each]));
  for (const { snapshot } of planLetGo(run.moments, policy, sandboxContext.clock.nowMs())) {
    const record = snapshot === undefined ? undefined : known.get(snapshot);
    if (record?.name !== undefined) continue;
    try {
      if (record !== undefined) await removeSnapshot(sandboxContext, record, {});
      if (snapshot !== undefined) gone.add(snapshot);
    } catch (error) {
      sandboxContext.warn(`the machine ${snapshot} stays: ${errorText(error)}`);
    }
  }
  if (gone.size === 0) return run;
  const moments = run.moments.map((moment) => {
    if (moment.snapshot === undefined || !gone.has(moment.snapshot)) return moment;
    return { commit: moment.commit, at: moment.at };
  });
  return { ...run, moments };
}
