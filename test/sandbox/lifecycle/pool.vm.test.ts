import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseObjectName } from "../../../src/sandbox/ids.ts";
import { branchSandbox } from "../../../src/sandbox/lifecycle/branch.ts";
import { drainPool, fillPool } from "../../../src/sandbox/lifecycle/fill-pool.ts";
import { listPool } from "../../../src/sandbox/lifecycle/pool.ts";
import { forkSnapshot } from "../../../src/sandbox/lifecycle/start-sandbox.ts";
import { collectSandboxGarbage } from "../../../src/sandbox/removal/collect-garbage.ts";
import { removeSandbox } from "../../../src/sandbox/removal/remove-sandbox.ts";
import { removeSnapshot } from "../../../src/sandbox/removal/remove-snapshot.ts";
import type { SandboxRecord } from "../../../src/sandbox/store/records.ts";
import {
  findSandbox,
  listSandboxes,
  mustRun,
  sandboxState,
} from "../../../src/sandbox/store/sandbox-store.ts";
import { findSnapshot, type ReadySnapshot } from "../../../src/sandbox/store/snapshot-store.ts";
import { allStarted, openSandboxLab, type SandboxLab } from "../../support/sandbox-context.ts";

let lab: SandboxLab;
let base: ReadySnapshot;
const idleMs = 600_000;

beforeAll(async () => {
  lab = openSandboxLab();
  const { record } = await lab.boot();
  await lab.sh(
    record,
    `mkdir -p /etc/keyframe/on-fork.d; printf '#!/bin/sh\\necho "$KEYFRAME_SEED" >> /root/hook' > /etc/keyframe/on-fork.d/10-note; chmod +x /etc/keyframe/on-fork.d/10-note`,
  );
  base = await (await branchSandbox(lab.context, record.id)).durable;
  await removeSandbox(lab.context, record);
});
afterAll(() => lab?.close());

const end = (sandbox: SandboxRecord) => removeSandbox(lab.context, findSandbox(lab.context, sandbox.id));
const fill = (size: number) => fillPool(lab.context, base, { size, idleMs });
const take = async (options: Parameters<typeof forkSnapshot>[2] = { count: 1 }) =>
  allStarted(await forkSnapshot(lab.context, base, options));

test("children from a pool are its machines, with identities of their own, and what is missing starts cold", async () => {
  const members = await fill(2);
  expect(members.map((each) => sandboxState(lab.context, each))).toEqual(["pooled", "pooled"]);
  expect(() => mustRun(lab.context, members[0] as SandboxRecord)).toThrow(/kept ready/);
  const fresh = await take({ count: 1, pool: false });
  const children = await take({ count: 3, env: { COLOR: "red" } });
  const ids = new Set(children.map((each) => each.id));
  expect(members.every((each) => ids.has(each.id))).toBe(true);
  expect(ids.size).toBe(3);
  expect(listPool(lab.context, base.id)).toEqual([]);
  const rows = [];
  for (const child of [...children, ...fresh]) {
    const facts = await lab.sh(
      child,
      "head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \\n'; echo; cat /etc/machine-id /etc/hostname /root/hook; date +%s",
    );
    rows.push(facts.split("\n"));
    expect(findSandbox(lab.context, child.id)).toMatchObject({ status: "running", base: base.id });
  }
  for (const column of [0, 1, 2, 3])
    expect(new Set(rows.map((row) => row[column])).size, `column ${column}`).toBe(4);
  // five columns: the hook has run once
  for (const row of rows) {
    expect(row).toHaveLength(5);
    expect(Math.abs(Number(row[4]) - Date.now() / 1000)).toBeLessThan(60);
  }
  expect(children.every((each) => findSandbox(lab.context, each.id).env["COLOR"] === "red")).toBe(true);
  for (const child of [...children, ...fresh]) await end(child);
});

test("processes that take at the same time never get the same machine, and the pool is filled again behind them", async () => {
  const members = await fill(2);
  const runs = Array.from({ length: 2 }, async () => {
    const child = spawn(
      process.execPath,
      ["dist/keyframe.cjs", "sandbox", "run", base.id, "--json", "--pool", "1"],
      {
        env: { ...process.env, KEYFRAME_SANDBOX_HOME: lab.context.home.root },
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    let out = "";
    child.stdout.on("data", (piece: Buffer) => {
      out += piece.toString("utf8");
    });
    const [code] = await once(child, "close");
    expect(code).toBe(0);
    return JSON.parse(out)[0].id as string;
  });
  const taken = await Promise.all(runs);
  expect([...taken].sort()).toEqual(members.map((each) => each.id).sort());
  while (listPool(lab.context, base.id).length === 0) await lab.context.clock.sleep(50);
  for (const id of taken) await end(findSandbox(lab.context, id));
  // after the fillers in the background
  await fill(0);
  expect(listPool(lab.context, base.id)).toEqual([]);
});

test("a taker that is killed at any step leaves nothing that gc does not remove, and the rest of the pool", async () => {
  await collectSandboxGarbage(lab.context, {});
  const layers = readdirSync(lab.context.home.folder("disks")).sort();
  for (const point of ["pool:after-record", "pool:after-claim", "pool:after-wake"]) {
    const members = await fill(2);
    const killed = lab.cli(["sandbox", "run", base.id, "--name", "mine"], { KEYFRAME_FAULT: point });
    expect(killed.signal, point).toBe("SIGKILL");
    const rest = listPool(lab.context, base.id).map((each) => each.id);
    expect(rest, point).toHaveLength(1);
    const taken = members.find((each) => each.id !== rest[0]);
    expect(sandboxState(lab.context, findSandbox(lab.context, taken?.id ?? "")), point).toBe("abandoned");
    await collectSandboxGarbage(lab.context, {});
    const left = listSandboxes(lab.context).map((each) => each.id);
    expect(left, point).toEqual(rest);
    expect(lab.context.processTable.isRunning(machineOf(taken)), point).toBe(false);
    expect(readdirSync(lab.context.home.folder("names")), point).toEqual([]);
    await drainPool(lab.context, base.id);
    await collectSandboxGarbage(lab.context, {});
    expect(readdirSync(lab.context.home.folder("disks")).sort(), point).toEqual(layers);
  }
  for (const point of ["start:after-record", "start:after-machine"]) {
    expect(lab.cli(["sandbox", "pool", base.id, "--size", "1"], { KEYFRAME_FAULT: point }).signal).toBe(
      "SIGKILL",
    );
    await collectSandboxGarbage(lab.context, {});
    expect(listSandboxes(lab.context), point).toEqual([]);
  }
});

test("a name that is taken leaves the machine in the pool", async () => {
  const [member] = await fill(1);
  const [named] = await take({ count: 1, pool: false, name: parseObjectName("taken") });
  const failed = lab.cli(["sandbox", "run", base.id, "--name", "taken"]);
  expect(failed.stderr).toContain("there is a sandbox named taken");
  expect(listPool(lab.context, base.id).map((each) => each.id)).toEqual([member?.id]);
  if (named !== undefined) await end(named);
  await drainPool(lab.context, base.id);
});

test("a machine that nobody takes ends in time; one that was taken lives as long as its taker said", async () => {
  const [member] = await fillPool(lab.context, base, { size: 1, idleMs: 2_000 });
  const [child] = await take();
  expect(child?.id).toBe(member?.id);
  const { deadline } = findRecord(member);
  if (deadline === undefined) throw new Error("no time limit");
  while (lab.context.processTable.isRunning(deadline)) await lab.context.clock.sleep(10);
  const [idle] = await fillPool(lab.context, base, { size: 1, idleMs: 1_000 });
  const ended = machineOf(idle);
  while (lab.context.processTable.isRunning(ended)) await lab.context.clock.sleep(50);
  expect(await lab.sh(child as SandboxRecord, "echo alive")).toBe("alive");
  expect(listPool(lab.context, base.id)).toEqual([]);
  await collectSandboxGarbage(lab.context, {});
  expect(listSandboxes(lab.context).map((each) => each.id)).toEqual([child?.id]);
  await fill(1);
  const [limited] = await take({ count: 1, lifetimeMs: 1_000 });
  const machine = machineOf(limited);
  while (lab.context.processTable.isRunning(machine)) await lab.context.clock.sleep(50);
  await collectSandboxGarbage(lab.context, {});
  // somebody used it: its disk is theirs until they remove it
  expect(new Set(listSandboxes(lab.context).map((each) => each.id))).toEqual(
    new Set([child?.id, limited?.id]),
  );
  await end(child as SandboxRecord);
  await end(limited as SandboxRecord);
});

test("a dead machine of a pool is passed over", async () => {
  const [first, second] = await fill(2);
  lab.context.processTable.signal(machineOf(first), "SIGKILL");
  const [child] = await take();
  expect(child?.id).toBe(second?.id);
  if (child !== undefined) await end(child);
  await collectSandboxGarbage(lab.context, {});
});

test("removing a snapshot ends its pool, and is refused while a sandbox from it runs", async () => {
  const [kept] = await fill(2);
  const [child] = await take();
  const doomed = findSnapshot(lab.context, base.id);
  await expect(removeSnapshot(lab.context, doomed, {})).rejects.toThrow(/run from/);
  expect(listPool(lab.context, base.id)).toHaveLength(1);
  if (child !== undefined) await end(child);
  await removeSnapshot(lab.context, doomed, {});
  expect(lab.context.processTable.isRunning(machineOf(kept))).toBe(false);
  expect(listSandboxes(lab.context)).toEqual([]);
  await collectSandboxGarbage(lab.context, {});
  expect(readdirSync(join(lab.context.home.root, "memory")).filter((name) => name.startsWith("sn-"))).toEqual(
    [],
  );
});

function machineOf(record: SandboxRecord | undefined) {
  const { machine } = findRecord(record);
  if (machine === undefined) throw new Error("no machine");
  return machine.process;
}

function findRecord(record: SandboxRecord | undefined): SandboxRecord {
  if (record === undefined) throw new Error("no sandbox");
  return record;
}
