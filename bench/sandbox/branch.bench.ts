import { sha256Hex } from "../../src/base/digest.ts";
import { branchSandbox } from "../../src/sandbox/branch.ts";
import { pageBytes } from "../../src/sandbox/page-runs.ts";
import type { SandboxRecord } from "../../src/sandbox/records.ts";
import { attachMachine, findSandbox } from "../../src/sandbox/sandbox-store.ts";
import { forkSnapshot } from "../../src/sandbox/start-sandbox.ts";
import { allStarted, openSandboxLab, type SandboxLab } from "../../test/support/sandbox-world.ts";
import type { BenchOptions, BenchResult } from "../bench-result.ts";

const mib = 1024 * 1024;

/**
 * How long a guest is stopped by a branch: ten in a row, idle and with so much dirtied by the guest, against stopping
 * and continuing with nothing in between; and what a branch stores, against what the guest wrote. Published by a peer
 * on a patched hypervisor and KVM: 153 to 270 ms, and 10 ms for each dirty MiB.
 */
export async function run({ tiny }: BenchOptions): Promise<BenchResult[]> {
  const lab = openSandboxLab();
  try {
    const base = await (
      await branchSandbox(lab.world, (await lab.boot(undefined, { memoryMiB: 384 })).record.id)
    ).durable;
    const results: BenchResult[] = [];
    for (const dirtyMiB of tiny ? [0] : [0, 10, 50]) {
      const [child] = allStarted(await forkSnapshot(lab.world, base, { count: 1 }));
      if (child === undefined) throw new Error("no child");
      if (dirtyMiB > 0) await lab.sh(child, `head -c ${dirtyMiB * mib} /dev/urandom > /dev/shm/dirty`);
      results.push(...(await measure(lab, child, dirtyMiB, tiny ? 2 : 10)));
    }
    return results;
  } finally {
    await lab.close();
  }
}

async function measure(
  lab: SandboxLab,
  child: SandboxRecord,
  dirtyMiB: number,
  rounds: number,
): Promise<BenchResult[]> {
  const pauses: number[] = [];
  let pages = 0;
  let stored = 0;
  for (let round = 0; round < rounds; round += 1) {
    const snapshot = await (await branchSandbox(lab.world, child.id)).durable;
    pauses.push(snapshot.pause?.totalMs ?? Number.NaN);
    pages = snapshot.pause?.pages ?? 0;
    stored = snapshot.memory.fileBytes;
  }
  const floor = await bareStop(lab, child, rounds);
  const label = `${child.shape.accelerator}, ${dirtyMiB} MiB dirtied, ${((pages * pageBytes) / mib).toFixed(0)} MiB private`;
  const value = median(pauses);
  const resultHash = sha256Hex(label).slice(0, 12);
  const third = Math.max(1, Math.floor(rounds / 3));
  const [first, last] = [median(pauses.slice(0, third)), median(pauses.slice(-third))];
  return [
    {
      name: `pause of a branch (${label}), against a bare stop and continue`,
      value,
      unit: "ms",
      floor,
      ratio: value / floor,
      resultHash,
    },
    {
      name: `longest pause of ${rounds} (${label}), against their median`,
      value: Math.max(...pauses),
      unit: "ms",
      floor: value,
      ratio: Math.max(...pauses) / value,
      resultHash,
    },
    {
      name: `last pauses of ${rounds} (${label}), against the first`,
      value: last,
      unit: "ms",
      floor: first,
      ratio: last / first,
      resultHash,
    },
    {
      name: `stored by a branch (${label}), against the private bytes`,
      value: stored / mib,
      unit: "MiB",
      floor: (pages * pageBytes) / mib,
      ratio: stored / (pages * pageBytes),
      resultHash,
    },
  ];
}

async function bareStop(lab: SandboxLab, child: SandboxRecord, rounds: number): Promise<number> {
  const machine = await attachMachine(lab.world, findSandbox(lab.world, child.id));
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const start = performance.now();
    await machine.pause();
    await machine.resume();
    times.push(performance.now() - start);
  }
  machine.detach();
  return median(times);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
