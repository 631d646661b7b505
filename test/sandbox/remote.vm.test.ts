// Covers src/sandbox/lazy/**, src/sandbox/transfer/**, src/cli/snapshot/**.
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { blockServerFiles, endBlockServer, readBlockServer } from "../../src/sandbox/lazy/block-server.ts";
import { branchSandbox } from "../../src/sandbox/lifecycle/branch.ts";
import { forkSnapshot } from "../../src/sandbox/lifecycle/start-sandbox.ts";
import { ensureMemoryImage } from "../../src/sandbox/memory/cache.ts";
import { pageBytes } from "../../src/sandbox/memory/page-runs.ts";
import { removeSandbox } from "../../src/sandbox/removal/remove-sandbox.ts";
import { openSandboxHome, type SandboxContext } from "../../src/sandbox/store/home.ts";
import type { SandboxRecord } from "../../src/sandbox/store/records.ts";
import { findSandbox, listSandboxes } from "../../src/sandbox/store/sandbox-store.ts";
import {
  findSnapshot,
  listSnapshots,
  mustBeReady,
  type ReadySnapshot,
} from "../../src/sandbox/store/snapshot-store.ts";
import { faultPointsInSource } from "../support/fault-points.ts";
import { allStarted, openSandboxLab, type SandboxLab } from "../support/sandbox-context.ts";

let lab: SandboxLab;
let store: string;
let base: ReadySnapshot;
let child: ReadySnapshot;
const mib = 1024 * 1024;

beforeAll(async () => {
  lab = openSandboxLab();
  store = join(lab.context.home.root, "store");
  const { record } = await lab.boot("source", { memoryMiB: 256 });
  await lab.sh(
    record,
    "head -c 40000000 /dev/urandom > /dev/shm/noise; md5sum < /dev/shm/noise > /root/sum; sync",
  );
  base = await (await branchSandbox(lab.context, record.id)).durable;
  await removeSandbox(lab.context, record);
  const fork = await forkOne(lab.context, base);
  await lab.sh(fork, "echo on top > /root/more; sync");
  child = await (await branchSandbox(lab.context, fork.id)).durable;
  await removeSandbox(lab.context, findSandbox(lab.context, fork.id));
});
afterAll(async () => {
  for (const context of others) {
    for (const { machine } of listSandboxes(context))
      if (machine !== undefined) lab.context.processTable.signal(machine.process, "SIGKILL");
    for (const snapshot of listSnapshots(context)) await endBlockServer(context, snapshot.id);
  }
  await lab?.close();
});

const others: SandboxContext[] = [];

async function forkOne(context: SandboxContext, snapshot: ReadySnapshot): Promise<SandboxRecord> {
  const [sandbox] = allStarted(await forkSnapshot(context, snapshot, { count: 1 }));
  if (sandbox === undefined) throw new Error("no sandbox");
  return sandbox;
}

/** Another machine's state: a home of its own, used through the command line and as a library. */
function otherHome(name: string) {
  const root = join(lab.context.home.root, name);
  const context: SandboxContext = {
    ...lab.context,
    home: openSandboxHome(lab.context.files, lab.context.random, root),
  };
  others.push(context);
  const cli = (args: readonly string[], env: Record<string, string> = {}) =>
    lab.cli(args, { KEYFRAME_SANDBOX_HOME: root, ...env });
  const ok = (...args: string[]) => {
    const result = cli(args);
    expect(result.code, `${args.join(" ")}: ${result.stderr}`).toBe(0);
    return result.stdout.trim();
  };
  return { root, context, cli, ok };
}

const filesOf = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());
const bytesIn = (folder: string) => filesOf(folder).reduce((sum, path) => sum + statSync(path).size, 0);
const digestOf = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");
/** What the guest made before it was saved, in memory and on the disk. */
const cargo = "md5sum < /dev/shm/noise | cmp - /root/sum && cat /root/more";

test("a chain that is pushed link by link is the same guest elsewhere, and each push sends only what is new", async () => {
  expect(JSON.parse(lab.cli(["snapshot", "push", base.id, store, "--json"]).stdout)).toMatchObject({
    sent: [base.id],
    present: [],
  });
  const before = bytesIn(store);
  const second = JSON.parse(
    lab.cli(["snapshot", "push", child.id, store, "--name", "both", "--json"]).stdout,
  );
  expect(second).toMatchObject({ sent: [child.id], present: [base.id] });
  const added = bytesIn(store) - before;
  const stored = child.memory.dataPages * pageBytes;
  // compressed memory, a disk layer of some clusters, a description with the device state
  expect(added).toBeLessThan(stored + 2 * mib);
  expect(second.storedBytes).toBeLessThanOrEqual(added);
  const third = JSON.parse(lab.cli(["snapshot", "push", child.id, store, "--json"]).stdout);
  expect(third).toMatchObject({ sent: [], present: [base.id, child.id], storedBytes: 0 });

  const away = otherHome("away");
  away.ok("snapshot", "pull", "both", store, "--name", "here");
  expect(away.ok("snapshot", "verify", "here")).toContain("everything matches");
  const taken = mustBeReady(away.context, findSnapshot(away.context, "here"));
  expect(taken.seal).toBe(child.seal);
  expect(digestOf(await ensureMemoryImage(away.context, taken))).toBe(
    digestOf(await ensureMemoryImage(lab.context, child)),
  );
  expect(away.ok("sandbox", "run", "here", "--name", "moved")).toBe("moved");
  expect(away.ok("sandbox", "exec", "moved", "--", "sh", "-c", cargo)).toBe("on top");
  away.ok("sandbox", "rm", "moved");
  // again: nothing to fetch, nothing changed
  expect(away.ok("snapshot", "pull", child.id, store)).toBe("here");
  expect(readdirSync(away.context.home.folder("staging"))).toEqual([]);
});

test("a push or pull that is killed at any step leaves nothing that counts, and runs to its end the next time", () => {
  const mine = join(lab.context.home.root, "killed-store");
  const away = otherHome("killed");
  const pushPoints = [
    "snapshot-push:after-layer",
    "snapshot-push:after-memory",
    "snapshot-push:before-describe",
  ];
  for (const point of [...pushPoints, "publish-image:before-manifest"]) {
    expect(lab.cli(["snapshot", "push", base.id, mine], { KEYFRAME_FAULT: point }).signal, point).toBe(
      "SIGKILL",
    );
    expect(away.cli(["snapshot", "pull", base.id, mine]).code, point).toBe(3);
  }
  const unnamed = lab.cli(["snapshot", "push", base.id, mine, "--name", "n"], {
    KEYFRAME_FAULT: "snapshot-push:before-name",
  });
  expect(unnamed.signal).toBe("SIGKILL");
  expect(away.cli(["snapshot", "pull", "n", mine]).code).toBe(3);
  expect(lab.cli(["snapshot", "push", base.id, mine, "--name", "n"]).code).toBe(0);
  const other = lab.cli(["snapshot", "push", child.id, mine, "--name", "n"]);
  expect(other.stderr).toContain("already-exists");

  expect(
    away.cli(["snapshot", "pull", "n", mine], { KEYFRAME_FAULT: "snapshot-pull:after-part" }).signal,
  ).toBe("SIGKILL");
  expect(
    away.cli(["snapshot", "pull", "n", mine, "--lazy"], { KEYFRAME_FAULT: "snapshot-pull:before-known" })
      .signal,
  ).toBe("SIGKILL");
  expect(listSnapshots(away.context)).toEqual([]);
  away.ok("snapshot", "gc");
  for (const folder of ["snapshots", "disks", "staging", "names"] as const)
    expect(readdirSync(away.context.home.folder(folder)), folder).toEqual([]);
  away.ok("snapshot", "pull", "n", mine);
  expect(faultPointsInSource("snapshot-push:", "snapshot-pull:")).toEqual(
    [
      ...pushPoints,
      "snapshot-push:before-name",
      "snapshot-pull:after-part",
      "snapshot-pull:before-known",
    ].sort(),
  );
});

test("a changed or cut object is named, and nothing of the snapshot is taken in", () => {
  const away = otherHome("harmed");
  const objects = filesOf(store).filter((path) => /\/(layers|manifests|snapshots)\//.test(path));
  expect(objects.length).toBeGreaterThan(6);
  for (const [index, path] of objects.entries()) {
    const good = readFileSync(path);
    const at = Math.floor(good.length / 2);
    const changed = Buffer.from(good);
    changed.writeUInt8(good.readUInt8(at) ^ 1, at);
    writeFileSync(path, index % 2 === 0 ? changed : good.subarray(0, at));
    const pulled = away.cli(["snapshot", "pull", child.id, store]);
    expect([3, 4, 5], `${path}: ${pulled.stderr}`).toContain(pulled.code);
    expect(listSnapshots(away.context), path).toEqual([]);
    for (const folder of ["disks", "staging"] as const)
      expect(readdirSync(away.context.home.folder(folder)), path).toEqual([]);
    writeFileSync(path, good);
  }
});

test("a lazily pulled snapshot starts with a part of its data, is branched and forked, and can be completed", async () => {
  const away = otherHome("lazy");
  away.ok("snapshot", "pull", "both", store, "--lazy", "--name", "far");
  const far = mustBeReady(away.context, findSnapshot(away.context, "far"));
  expect(far.seal).toBe(child.seal);
  expect(away.ok("snapshot", "info", "far", "--json")).toContain(store);
  away.ok("sandbox", "run", "far", "--name", "one");
  const files = blockServerFiles(away.context, far.id);
  const fetched = () =>
    filesOf(join(files.folder, "cache")).reduce((sum, path) => sum + statSync(path).blocks * 512, 0);
  const whole = (base.memory.dataPages + child.memory.dataPages) * pageBytes;
  expect(fetched()).toBeLessThan(0.8 * whole);
  expect(away.ok("sandbox", "exec", "one", "--", "sh", "-c", cargo)).toBe("on top");
  const server = readBlockServer(away.context, far.id);
  if (server === undefined) throw new Error("no server");
  // the next one shares the server
  away.ok("sandbox", "run", "far", "--name", "two");
  expect(readBlockServer(away.context, far.id)).toEqual(server);
  away.ok("sandbox", "exec", "two", "--", "sh", "-c", "echo two > /root/who; sync");
  away.ok("sandbox", "snapshot", "two", "--name", "near");
  away.ok("sandbox", "run", "near", "--name", "three");
  expect(away.ok("sandbox", "exec", "three", "--", "sh", "-c", `${cargo}; cat /root/who`)).toBe(
    "on top\ntwo",
  );
  for (const refused of [
    ["pack", "near", join(away.root, "x")],
    ["flatten", "far"],
    ["push", "near", join(away.root, "other-store")],
  ]) {
    expect(away.cli(["snapshot", ...refused]).stderr, refused[0]).toContain("not-here");
  }
  expect(away.cli(["snapshot", "verify", "near"]).code).toBe(5);
  // where the store has what it depends on, what is new can be sent
  expect(JSON.parse(away.ok("snapshot", "push", "near", store, "--json"))).toMatchObject({
    sent: [findSnapshot(away.context, "near").id],
    present: [base.id, child.id],
  });
  away.ok("snapshot", "pull", "both", store);
  expect(away.ok("snapshot", "verify", "near")).toContain("everything matches");
  away.ok("sandbox", "run", "far", "--name", "four");
  expect(away.ok("sandbox", "exec", "four", "--", "sh", "-c", cargo)).toBe("on top");
  away.ok("sandbox", "rm", "one", "two", "three", "four");
  // what it fetched goes with it, now that all is here
  lab.context.processTable.signal(server.process, "SIGTERM");
  while (readBlockServer(away.context, far.id) !== undefined) await lab.context.clock.sleep(20);
  while (lab.context.processTable.isRunning(server.process)) await lab.context.clock.sleep(20);
  away.ok("snapshot", "gc");
  expect(existsSync(files.folder)).toBe(false);
  away.ok("snapshot", "rm", base.id, "--cascade");
  expect(lab.context.processTable.isRunning(server.process)).toBe(false);
  if (server.memoryProcess !== undefined)
    expect(lab.context.processTable.isRunning(server.memoryProcess)).toBe(false);
  expect(readFileSync("/proc/self/mounts", "utf8")).not.toContain(away.root);
  expect(readdirSync(away.context.home.folder("snapshots"))).toEqual([]);
});

test("a block server that is killed is replaced at the next start, and a store that is away is an error", () => {
  const away = otherHome("crash");
  away.ok("snapshot", "pull", child.id, store, "--lazy");
  const first = away.ok("sandbox", "run", child.id);
  const server = readBlockServer(away.context, child.id);
  if (server === undefined) throw new Error("no server");
  lab.context.processTable.signal(server.process, "SIGKILL");
  const second = away.ok("sandbox", "run", child.id);
  expect(readBlockServer(away.context, child.id)?.process).not.toEqual(server.process);
  expect(away.ok("sandbox", "exec", second, "--", "sh", "-c", cargo)).toBe("on top");
  away.ok("sandbox", "rm", first, second);
  const last = readBlockServer(away.context, child.id);
  if (last?.memoryProcess === undefined) throw new Error("no memory is shown");
  lab.context.processTable.signal(last.process, "SIGKILL");
  away.ok("snapshot", "gc");
  expect(lab.context.processTable.isRunning(last.memoryProcess)).toBe(false);
  expect(readFileSync("/proc/self/mounts", "utf8")).not.toContain(away.root);
  away.ok("snapshot", "rm", base.id, "--cascade");

  const gone = join(lab.context.home.root, "gone-store");
  lab.cli(["snapshot", "push", base.id, gone]);
  away.ok("snapshot", "pull", base.id, gone, "--lazy");
  for (const path of filesOf(join(gone, "manifests"))) writeFileSync(path, "");
  const failed = away.cli(["sandbox", "run", base.id]);
  expect([failed.code, failed.stderr]).toEqual([6, expect.stringContaining("cannot be served")]);
  expect(listSandboxes(away.context)).toEqual([]);
});

test("where there is no FUSE the memory is fetched first, and the disk stays lazy", () => {
  const away = otherHome("plain");
  const programs = join(away.root, "programs");
  mkdirSync(programs);
  for (const name of ["qemu-system-x86_64", "perl", "prlimit", "setpriv", "timeout", "umount"]) {
    const path = ["/usr/bin", "/bin"].map((folder) => join(folder, name)).find((each) => existsSync(each));
    if (path !== undefined) symlinkSync(path, join(programs, name));
  }
  away.ok("snapshot", "pull", child.id, store, "--lazy", "--name", "far");
  const run = away.cli(["sandbox", "run", "far", "--name", "one"], { PATH: programs });
  expect(run.code, run.stderr).toBe(0);
  expect(readBlockServer(away.context, child.id)).toMatchObject({
    memoryPath: away.context.home.memoryImage(child.id),
  });
  expect(away.ok("sandbox", "exec", "one", "--", "sh", "-c", cargo)).toBe("on top");
  away.ok("sandbox", "rm", "one");
  away.ok("snapshot", "rm", base.id, "--cascade");
});
