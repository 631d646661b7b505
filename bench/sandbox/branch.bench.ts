import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import { sha256Hex } from "../../src/base/digest.ts";
import { branchSandbox } from "../../src/sandbox/lifecycle/branch.ts";
import { forkSnapshot } from "../../src/sandbox/lifecycle/start-sandbox.ts";
import { pageBytes } from "../../src/sandbox/memory/page-runs.ts";
import { removeSandbox } from "../../src/sandbox/removal/remove-sandbox.ts";
import type { SandboxRecord } from "../../src/sandbox/store/records.ts";
import { attachMachine, findSandbox } from "../../src/sandbox/store/sandbox-store.ts";
import type { ReadySnapshot } from "../../src/sandbox/store/snapshot-store.ts";
import { allStarted, openSandboxLab, type SandboxLab } from "../../test/support/sandbox-context.ts";
import type { BenchOptions, BenchResult } from "../bench-result.ts";

const mib = 1024 * 1024;

/**
 * How long a guest is stopped by a branch: ten in a row, idle and with so much dirtied by the guest, against stopping
 * and continuing with nothing in between; with the space reserved before the pause and without, on the file system of
 * the temporary directory and on one in memory; and what a branch stores, against what the guest wrote. Published by a
 * peer on a patched hypervisor and KVM: 153 to 270 ms, and 10 ms for each dirty MiB.
 */
export async function run({ tiny }: BenchOptions): Promise<BenchResult[]> {
  const results: BenchResult[] = [];
  for (const folder of tiny ? [tmpdir()] : [tmpdir(), "/dev/shm"]) {
    const lab = openSandboxLab(folder);
    try {
      const base = await (
        await branchSandbox(lab.context, (await lab.boot(undefined, { memoryMiB: 384 })).record.id)
      ).durable;
      for (const dirtyMiB of tiny ? [0] : [0, 10, 50, 100]) {
        const [child] = allStarted(await forkSnapshot(lab.context, base, { count: 1 }));
        if (child === undefined) throw new Error("no child");
        if (dirtyMiB > 0) await lab.sh(child, `head -c ${dirtyMiB * mib} /dev/urandom > /dev/shm/dirty`);
        const label = `${child.shape.accelerator}, ${fileSystemOf(folder)}, ${dirtyMiB} MiB dirtied`;
        results.push(...(await measure(lab, child, { label, rounds: tiny ? 2 : 10 })));
        await removeSandbox(lab.context, findSandbox(lab.context, child.id));
      }
    } finally {
      await lab.close();
    }
  }
  return results;
}

/** "ext2/ext3" is what the program says of ext4 too. */
function fileSystemOf(folder: string): string {
  const name = execFileSync("stat", ["--file-system", "--format=%T", folder], { encoding: "utf8" }).trim();
  return name === "ext2/ext3" ? "ext4" : name;
}

interface MeasureOptions {
  readonly label: string;
  readonly rounds: number;
}

async function measure(
  lab: SandboxLab,
  child: SandboxRecord,
  { label, rounds }: MeasureOptions,
): Promise<BenchResult[]> {
  const reserved: number[] = [];
  const unreserved: number[] = [];
  let last: ReadySnapshot | undefined;
  for (let round = 0; round < rounds; round += 1) {
    last = await (await branchSandbox(lab.context, child.id)).durable;
    reserved.push(last.pause?.totalMs ?? Number.NaN);
  }
  for (let round = 0; round < rounds; round += 1) {
    const snapshot = await (await branchSandbox(lab.context, child.id, { reserve: false })).durable;
    unreserved.push(snapshot.pause?.totalMs ?? Number.NaN);
  }
  const floor = await bareStop(lab, child, rounds);
  const value = median(reserved);
  const third = Math.max(1, Math.floor(rounds / 3));
  const privateBytes = (last?.pause?.pages ?? 0) * pageBytes;
  const compared = (name: string, figure: number, against: number, unit = "ms"): BenchResult => ({
    name: `${name} (${label})`,
    value: figure,
    unit,
    floor: against,
    ratio: figure / against,
    resultHash: sha256Hex(`${name} ${label}`).slice(0, 12),
  });
  return [
    compared("pause of a branch, against a bare stop and continue", value, floor),
    compared("the same without reserved space, against with it", median(unreserved), value),
    compared(`longest pause of ${rounds}, against their median`, Math.max(...reserved), value),
    compared(
      `last pauses of ${rounds}, against the first`,
      median(reserved.slice(-third)),
      median(reserved.slice(0, third)),
    ),
    compared(
      "stored by a branch, against the private bytes",
      (last?.memory.fileBytes ?? Number.NaN) / mib,
      privateBytes / mib,
      "MiB",
    ),
  ];
}

async function bareStop(lab: SandboxLab, child: SandboxRecord, rounds: number): Promise<number> {
  const machine = await attachMachine(lab.context, findSandbox(lab.context, child.id));
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
