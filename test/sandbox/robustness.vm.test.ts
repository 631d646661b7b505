// Covers src/sandbox/*, src/sandbox/removal/**, src/sandbox/store/**, src/cli/sandbox/**.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createConnection, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { errorText } from "../../src/base/errors.ts";
import { parseObjectName } from "../../src/sandbox/ids.ts";
import { branchSandbox } from "../../src/sandbox/lifecycle/branch.ts";
import { forkSnapshot } from "../../src/sandbox/lifecycle/start-sandbox.ts";
import { ensureMemoryImage } from "../../src/sandbox/memory/cache.ts";
import { removeSandbox } from "../../src/sandbox/removal/remove-sandbox.ts";
import type { SandboxRecord } from "../../src/sandbox/store/records.ts";
import { attachMachine, findSandbox, sandboxState } from "../../src/sandbox/store/sandbox-store.ts";
import { listSnapshots, type ReadySnapshot, snapshotFiles } from "../../src/sandbox/store/snapshot-store.ts";
import { allStarted, openSandboxLab, type SandboxLab } from "../support/sandbox-context.ts";

// One guest with two processors, and what can go wrong around it.
let lab: SandboxLab;
let source: SandboxRecord;
const mounted: string[] = [];

beforeAll(async () => {
  lab = openSandboxLab();
  source = (await lab.boot("source", { cpus: 2 })).record;
});
afterAll(async () => {
  for (const folder of mounted) spawnSync("umount", ["-l", folder]);
  await lab?.close();
});

const snapshotOf = async (sandbox: SandboxRecord): Promise<ReadySnapshot> =>
  (await branchSandbox(lab.context, sandbox.id)).durable;
const forkOne = async (snapshot: ReadySnapshot) =>
  allStarted(await forkSnapshot(lab.context, snapshot, { count: 1 }))[0] as SandboxRecord;
const end = (sandbox: SandboxRecord) => removeSandbox(lab.context, findSandbox(lab.context, sandbox.id));

/** Another file system in the place of a directory of the home; the reason if this machine does not let us. */
function mountOver(folder: string, type: string, options: string): string | undefined {
  const result = spawnSync("mount", ["-t", type, "-o", options, "keyframe-test", folder], {
    encoding: "utf8",
  });
  if (result.status !== 0) return `no ${type} can be mounted here: ${result.stderr.trim()}`;
  mounted.push(folder);
  return undefined;
}

function unmount(folder: string): void {
  execFileSync("umount", [folder]);
  mounted.splice(mounted.indexOf(folder), 1);
}

test("a guest with two processors that both work is branched, and works on in the child", async () => {
  expect(await lab.sh(source, "nproc")).toBe("2");
  await lab.sh(
    source,
    "for p in 1 2; do setsid sh -c 'echo $$ >> /dev/shm/pids; while :; do :; done' >/dev/null 2>&1 & done; while [ $(wc -l < /dev/shm/pids) -lt 2 ]; do sleep 0.05; done",
  );
  const child = await forkOne(await snapshotOf(source));
  // ticks that each of the two has had
  const ticks = async (sandbox: SandboxRecord) =>
    (await lab.sh(sandbox, "for p in $(cat /dev/shm/pids); do cut -d' ' -f14 /proc/$p/stat; done"))
      .split("\n")
      .map(Number);
  for (const sandbox of [source, child]) {
    const before = await ticks(sandbox);
    expect(before).toHaveLength(2);
    for (let after = before; !after.every((value, index) => value > (before[index] ?? 0)); )
      after = await ticks(sandbox);
    expect(await lab.sh(sandbox, "cat /sys/devices/system/cpu/online")).toBe("0-1");
    await lab.sh(sandbox, "kill -9 $(cat /dev/shm/pids)");
  }
  await end(child);
});

test("one child that cannot start is reported, and does not keep its siblings", async () => {
  const snapshot = await snapshotOf(source);
  const name = parseObjectName("kid");
  // the name of the second child is taken
  const taken = parseObjectName("kid-2");
  const [other] = allStarted(await forkSnapshot(lab.context, snapshot, { count: 1, name: taken }));
  const results = await forkSnapshot(lab.context, snapshot, { count: 3, name });
  expect(results.map((result) => (result.ok ? result.sandbox.record.name : errorText(result.error)))).toEqual(
    ["kid-1", expect.stringContaining("there is a sandbox named kid-2"), "kid-3"],
  );
  for (const result of results) {
    if (!result.ok) continue;
    expect(await lab.sh(result.sandbox.record, "hostname")).toBe(result.sandbox.record.name);
    await end(result.sandbox.record);
  }
  if (other !== undefined) await end(other);
});

test("a disk that is really full is refused before the pause, and with room the next branch is whole", async (context) => {
  const folder = lab.context.home.folder("snapshots");
  const before = listSnapshots(lab.context).length;
  const kept = `${folder}.kept`;
  renameSync(folder, kept);
  mkdirSync(folder, { mode: 0o700 });
  const problem = mountOver(folder, "tmpfs", "size=2M,mode=700");
  try {
    if (problem !== undefined) context.skip(problem);
    const failed = lab.cli(["sandbox", "snapshot", "source", "--name", "no-room"]);
    expect([failed.code, failed.stderr]).toEqual([6, expect.stringContaining("disk-full")]);
    expect(failed.stderr).not.toContain("paused for");
    expect(readdirSync(folder)).toEqual([]);
    expect(await lab.sh(source, "echo alive")).toBe("alive");
    execFileSync("mount", ["-o", "remount,size=400M", folder]);
    await lab.sh(source, "echo after > /root/full");
    const child = await forkOne(await snapshotOf(source));
    expect(await lab.sh(child, "cat /root/full")).toBe("after");
    await end(child);
  } finally {
    if (problem === undefined) unmount(folder);
    rmSync(folder, { recursive: true });
    renameSync(kept, folder);
  }
  expect(listSnapshots(lab.context)).toHaveLength(before);
});

test("a file system that cannot reserve space gets one warning, and the branch is whole", async (context) => {
  const folder = lab.context.home.folder("snapshots");
  const kept = `${folder}.kept`;
  renameSync(folder, kept);
  mkdirSync(folder, { mode: 0o700 });
  const problem = mountOver(folder, "ramfs", "mode=700");
  try {
    if (problem !== undefined) context.skip(problem);
    lab.warnings.splice(0);
    await lab.sh(source, "echo unreserved > /root/full");
    await snapshotOf(source);
    const child = await forkOne(await snapshotOf(source));
    expect(await lab.sh(child, "cat /root/full")).toBe("unreserved");
    await end(child);
    expect(lab.warnings.filter((text) => text.includes("cannot reserve space"))).toHaveLength(1);
  } finally {
    if (problem === undefined) unmount(folder);
    rmSync(folder, { recursive: true });
    renameSync(kept, folder);
  }
});

test("a monitor that stops answering in the pause does not keep the guest stopped, and the next branch is whole", async () => {
  const folder = lab.context.home.sandboxFolder(source.id);
  const [path, real] = [join(folder, "control.sock"), join(folder, "real.sock")];
  const before = listSnapshots(lab.context).map(({ id }) => id);
  renameSync(path, real);
  const sockets: Socket[] = [];
  let stalled = false;
  const proxy = createServer((near) => {
    const far = createConnection(real);
    sockets.push(near, far);
    for (const socket of [near, far]) socket.on("error", () => undefined);
    near.on("close", () => far.destroy());
    far.pipe(near);
    near.on("data", (piece: Buffer) => {
      // from here on nothing reaches QEMU any more
      if (piece.includes("xen-save-devices-state")) stalled = true;
      if (!stalled) far.write(piece);
    });
  });
  await new Promise<void>((resolve) => proxy.listen(path, resolve));
  try {
    await expect(branchSandbox(lab.context, source.id)).rejects.toThrow(/did not answer/);
    expect(stalled).toBe(true);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => proxy.close(resolve));
    renameSync(real, path);
  }
  expect(await lab.sh(source, "echo alive")).toBe("alive");
  expect(listSnapshots(lab.context).map(({ id }) => id)).toEqual(before);
  await lab.sh(source, "echo stalled > /root/full");
  const child = await forkOne(await snapshotOf(source));
  expect(await lab.sh(child, "cat /root/full")).toBe("stalled");
  await end(child);
});

test("doctor finds a dead machine, a stopped one, an abandoned snapshot, a lost sidecar and litter, and repairs them", async () => {
  const snapshot = await snapshotOf(source);
  const [dead, paused] = [await forkOne(snapshot), await forkOne(snapshot)];
  const { machine } = findSandbox(lab.context, dead.id);
  if (machine === undefined) throw new Error("not running");
  lab.context.processTable.signal(machine.process, "SIGKILL");
  while (lab.context.processTable.isRunning(machine.process)) await lab.context.clock.sleep(5);
  const stopping = await attachMachine(lab.context, findSandbox(lab.context, paused.id));
  await stopping.pause();
  stopping.detach();
  lab.cli(["sandbox", "snapshot", "source", "--name", "half"], { KEYFRAME_FAULT: "branch:write-memory" });
  writeFileSync(
    join(lab.context.home.sandboxFolder(source.id), "forwards.json"),
    JSON.stringify({ format: 1, forwards: [{ hostPort: 1, guestPort: 1 }] }),
  );
  const litter = join(lab.context.home.folder("disks"), "dl-0123456789ab.qcow2");
  writeFileSync(litter, "");
  const doctor = (...flags: string[]) => {
    const { code, stdout } = lab.cli(["doctor", "--json", ...flags], {}, lab.context.home.root);
    // there is something to find each time
    expect(code).toBe(1);
    const found = (JSON.parse(stdout).sandboxes as { kind: string; subject: string }[]).map(
      ({ kind, subject }) => `${kind} ${subject}`,
    );
    return found;
  };
  const half = listSnapshots(lab.context).find(({ name }) => name === "half");
  const expected = [
    `dead-sandbox ${dead.id}`,
    `paused-machine ${paused.id}`,
    `abandoned-snapshot ${half?.id}`,
    `missing-sidecar ${source.id}`,
    "unused-file dl-0123456789ab",
  ];
  expect(doctor()).toEqual(expect.arrayContaining(expected));
  expect(sandboxState(lab.context, findSandbox(lab.context, dead.id))).toBe("dead");
  expect(statSync(litter).size).toBe(0);
  expect(doctor("--repair")).toEqual([`dead-sandbox ${dead.id}`]);
  expect(doctor()).toEqual([`dead-sandbox ${dead.id}`]);
  expect(await lab.sh(paused, "echo awake")).toBe("awake");
  expect(sandboxState(lab.context, findSandbox(lab.context, dead.id))).toBe("dead");
  await end(findSandbox(lab.context, dead.id));
  await end(paused);
});

test("doctor names a record that it cannot read, and collects nothing while it is there", async () => {
  const path = snapshotFiles(lab.context, (await snapshotOf(source)).id).record;
  const good = lab.context.files.read(path);
  const litter = join(lab.context.home.folder("disks"), "dl-0123456789ab.qcow2");
  writeFileSync(litter, "");
  writeFileSync(path, "{");
  const { stdout } = lab.cli(["doctor", "--json", "--repair"], {}, lab.context.home.root);
  expect(JSON.parse(stdout).sandboxes).toMatchObject([
    { kind: "damaged-record", what: expect.stringContaining(path) },
  ]);
  expect(statSync(litter).size).toBe(0);
  writeFileSync(path, good);
});

test("a guest with more than 3 GiB keeps its whole memory in a branch", async () => {
  const { record } = await lab.boot("large", { memoryMiB: 3584 });
  // 700 MiB of a known content would take minutes under emulation: some pages at the far end of a large mapping do
  await lab.sh(
    record,
    "mount -o remount,size=3300M /dev/shm && truncate -s 3200M /dev/shm/far && printf marker | dd of=/dev/shm/far bs=1 seek=3300000000 conv=notrunc 2>/dev/null",
  );
  const snapshot = await snapshotOf(record);
  expect(snapshot.memory.memoryBytes).toBe(3584 * 1024 ** 2);
  await end(record);
  const child = await forkOne(snapshot);
  expect(statSync(await ensureMemoryImage(lab.context, snapshot)).size).toBe(3584 * 1024 ** 2);
  expect(await lab.sh(child, "tail -c +3300000001 /dev/shm/far | head -c 6")).toBe("marker");
  expect(Number(await lab.sh(child, "awk '/MemTotal/ { print $2 }' /proc/meminfo"))).toBeGreaterThan(
    3 * 1024 ** 2,
  );
  await end(child);
});
