import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { sha256Hex } from "../../src/base/digest.ts";
import { withGuest } from "../../src/sandbox/guest/session.ts";
import { branchSandbox } from "../../src/sandbox/lifecycle/branch.ts";
import { fillPool } from "../../src/sandbox/lifecycle/fill-pool.ts";
import { forkSnapshot } from "../../src/sandbox/lifecycle/start-sandbox.ts";
import { removeSandbox } from "../../src/sandbox/removal/remove-sandbox.ts";
import type { SandboxRecord } from "../../src/sandbox/store/records.ts";
import { findSandbox } from "../../src/sandbox/store/sandbox-store.ts";
import type { ReadySnapshot } from "../../src/sandbox/store/snapshot-store.ts";
import { allStarted, openSandboxLab, type SandboxLab } from "../../test/support/sandbox-context.ts";
import type { BenchOptions, BenchResult } from "../bench-result.ts";

/**
 * From the request for so many children to the last acknowledgement by a guest, against the bare start of so many
 * QEMUs, started anew and taken from a pool; memory of a child; a start from the head of a chain, against one from its
 * root; a command, against a ping. Published by a peer on KVM: 61 ms for one, 101 ms for 100, 22 ms for a command,
 * 75, 778 and 1,700 ms from chains of 0, 1 and 3 links.
 */
export async function run({ tiny }: BenchOptions): Promise<BenchResult[]> {
  const lab = openSandboxLab();
  try {
    const root = await snapshotOf(lab, (await lab.boot()).record);
    await forkAndEnd(lab, root, 1); // makes the memory image
    const results: BenchResult[] = [];
    for (const count of tiny ? [1] : [1, 5, 10, 25]) {
      results.push(...(await measureFork(lab, root, { count, pool: false, rounds: tiny ? 1 : 3 })));
      results.push(...(await measureFork(lab, root, { count, pool: true, rounds: tiny ? 1 : 3 })));
    }
    results.push(...(await measureChain(lab, root, tiny ? [0, 1] : [0, 1, 3, 8])));
    results.push(await measureCommand(lab, root, tiny ? 3 : 30));
    return results;
  } finally {
    await lab.close();
  }
}

async function snapshotOf(lab: SandboxLab, sandbox: SandboxRecord): Promise<ReadySnapshot> {
  return (await branchSandbox(lab.context, sandbox.id)).durable;
}

interface ForkMeasure {
  readonly count: number;
  readonly pool: boolean;
  readonly rounds: number;
}

async function measureFork(
  lab: SandboxLab,
  root: ReadySnapshot,
  { count, pool, rounds }: ForkMeasure,
): Promise<BenchResult[]> {
  const times: number[] = [];
  const floors: number[] = [];
  let memory: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    floors.push((await bareQemuStart()) * Math.ceil(count / lab.context.cores));
    if (pool) await fillPool(lab.context, root, { size: count, idleMs: 600_000 });
    const start = performance.now();
    const children = allStarted(await forkSnapshot(lab.context, root, { count, pool }));
    times.push(performance.now() - start);
    memory = children.map((child) =>
      proportionalMiB(findSandbox(lab.context, child.id).machine?.process.pid ?? 0),
    );
    for (const child of children) await removeSandbox(lab.context, findSandbox(lab.context, child.id));
  }
  const [value, floor] = [median(times), median(floors)];
  const label = `${root.shape.accelerator}, ${count} children ${pool ? "from a pool" : "started anew"}`;
  const resultHash = sha256Hex(label).slice(0, 12);
  const perChild = memory.reduce((sum, each) => sum + each, 0) / count;
  return [
    {
      name: `fork to the last guest's answer (${label}), against bare QEMU starts`,
      value,
      unit: "ms",
      floor,
      ratio: value / floor,
      resultHash,
    },
    {
      name: `memory of a child (${label}), against the guest's size`,
      value: perChild,
      unit: "MiB",
      floor: root.shape.memoryMiB,
      ratio: perChild / root.shape.memoryMiB,
      resultHash,
    },
  ];
}

/** Starts from chains of these depths, in turn with starts from their root. */
async function measureChain(
  lab: SandboxLab,
  root: ReadySnapshot,
  depths: readonly number[],
): Promise<BenchResult[]> {
  const results: BenchResult[] = [];
  let head = root;
  let links = 0;
  for (const depth of depths) {
    for (; links < depth; links += 1) {
      const [child] = allStarted(await forkSnapshot(lab.context, head, { count: 1 }));
      if (child === undefined) throw new Error("no child");
      head = await snapshotOf(lab, child);
      await removeSandbox(lab.context, findSandbox(lab.context, child.id));
    }
    await forkAndEnd(lab, head, 1); // makes the memory image
    const [fromHead, fromRoot]: [number[], number[]] = [[], []];
    for (let round = 0; round < 5; round += 1) {
      fromHead.push(await forkAndEnd(lab, head, 1));
      fromRoot.push(await forkAndEnd(lab, root, 1));
    }
    const [value, floor] = [median(fromHead), median(fromRoot)];
    const name = `start from a chain of ${depth} links (${root.shape.accelerator}), against one from its root`;
    results.push({
      name,
      value,
      unit: "ms",
      floor,
      ratio: value / floor,
      resultHash: sha256Hex(name).slice(0, 12),
    });
  }
  return results;
}

/** The median time of a fork of one. */
async function forkAndEnd(lab: SandboxLab, snapshot: ReadySnapshot, rounds: number): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const start = performance.now();
    const [child] = allStarted(await forkSnapshot(lab.context, snapshot, { count: 1 }));
    times.push(performance.now() - start);
    if (child !== undefined) await removeSandbox(lab.context, findSandbox(lab.context, child.id));
  }
  return median(times);
}

async function measureCommand(lab: SandboxLab, root: ReadySnapshot, rounds: number): Promise<BenchResult> {
  const [child] = allStarted(await forkSnapshot(lab.context, root, { count: 1 }));
  if (child === undefined) throw new Error("no child");
  const [value, floor] = await withGuest(lab.context, child, async (guest) => {
    const commands: number[] = [];
    const pings: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const start = performance.now();
      await guest.ping();
      const between = performance.now();
      const command = guest.run({ argv: ["true"] });
      command.stdin.end();
      command.stdout.resume();
      command.stderr.resume();
      await command.exited;
      pings.push(between - start);
      commands.push(performance.now() - between);
    }
    return [median(commands), median(pings)] as const;
  });
  const name = `a command, /bin/true (${root.shape.accelerator}), against a ping`;
  return { name, value, unit: "ms", floor, ratio: value / floor, resultHash: sha256Hex(name).slice(0, 12) };
}

/** Until a QEMU without a machine answers on its monitor. */
async function bareQemuStart(): Promise<number> {
  const start = performance.now();
  const child = spawn("qemu-system-x86_64", [
    "-M",
    "none",
    "-nodefaults",
    "-display",
    "none",
    "-qmp",
    "stdio",
  ]);
  await once(child.stdout, "data");
  const elapsed = performance.now() - start;
  child.kill("SIGKILL");
  await once(child, "close");
  return elapsed;
}

function proportionalMiB(pid: number): number {
  return (
    Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1] ?? Number.NaN) /
    1024
  );
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
