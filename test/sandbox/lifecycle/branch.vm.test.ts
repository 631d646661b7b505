// Covers src/sandbox/lifecycle/**, src/sandbox/snapshot/**, src/sandbox/memory/**.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { isKeyframeError } from "../../../src/base/errors.ts";
import { collectCommand, withGuest } from "../../../src/sandbox/guest/session.ts";
import { branchSandbox } from "../../../src/sandbox/lifecycle/branch.ts";
import { resumeSandbox } from "../../../src/sandbox/lifecycle/resume-sandbox.ts";
import { forkSnapshot, startSandbox } from "../../../src/sandbox/lifecycle/start-sandbox.ts";
import { suspendSandbox } from "../../../src/sandbox/lifecycle/suspend.ts";
import { ensureMemoryImage } from "../../../src/sandbox/memory/cache.ts";
import { pageBytes } from "../../../src/sandbox/memory/page-runs.ts";
import { startResumeWatchdog } from "../../../src/sandbox/qemu/resume-watchdog.ts";
import { collectSandboxGarbage } from "../../../src/sandbox/removal/collect-garbage.ts";
import { removeSandbox } from "../../../src/sandbox/removal/remove-sandbox.ts";
import { removeSnapshot } from "../../../src/sandbox/removal/remove-snapshot.ts";
import { flattenSnapshot } from "../../../src/sandbox/snapshot/flatten.ts";
import { verifySnapshot } from "../../../src/sandbox/snapshot/verify.ts";
import { openSandboxHome } from "../../../src/sandbox/store/home.ts";
import type { SandboxRecord } from "../../../src/sandbox/store/records.ts";
import {
  attachMachine,
  findSandbox,
  listSandboxes,
  sandboxState,
} from "../../../src/sandbox/store/sandbox-store.ts";
import {
  findSnapshot,
  listSnapshots,
  mustBeReady,
  type ReadySnapshot,
  readDeviceState,
  snapshotFiles,
} from "../../../src/sandbox/store/snapshot-store.ts";
import { packSnapshot, unpackSnapshot } from "../../../src/sandbox/transfer/pack.ts";
import { allStarted, openSandboxLab, type SandboxLab } from "../../support/sandbox-context.ts";

let lab: SandboxLab;
let source: SandboxRecord;

/**
 * Writes without pause. 512 pairs of cells lie in distant pages: both of a pair get the same sequence number, one
 * after the other. Every turn also appends a numbered record to a file and waits until the disk has it. On USR1 it
 * ends its turn, says what it finds in its memory, and goes on when told by USR2.
 */
const writer = String.raw`
use strict; my ($pairs, $cell) = (512, 4096); my $half = $pairs * $cell;
my $memory = "\0" x (2 * $half); my ($turn, $ask) = (0, 0);
$SIG{USR1} = sub { $ask = 1 }; $SIG{USR2} = sub { $ask = 0 };
open my $log, '>', '/root/log' or die; select((select($log), $| = 1)[0]);
sub cell { my $s = shift; pack 'Q Q a16', $s, $s ^ 0x5a5a5a5a5a5a, sprintf '%016d', $s }
sub audit { my $bad = 0; my $most = 0; for my $p (0 .. $pairs - 1) { my @s; for my $at ($p * $cell, $half + $p * $cell) {
  my ($s, $c, $t) = unpack 'Q Q a16', substr $memory, $at, 32; next if $s == 0; $bad++ if $c != ($s ^ 0x5a5a5a5a5a5a) || $t ne sprintf '%016d', $s; push @s, $s; $most = $s if $s > $most }
  $bad++ if @s == 1 ? $s[0] != $turn : @s == 2 && $s[0] != $s[1] && $s[0] != $turn } return "turn $turn most $most bad $bad" }
open my $ready, '>', '/root/pid'; print $ready $$; close $ready;
for (;;) { $turn++; my $p = $turn % $pairs; substr($memory, $p * $cell, 32) = cell($turn); substr($memory, $half + $p * $cell, 32) = cell($turn);
  syswrite $log, sprintf "%015d\n", $turn; syscall(75, fileno $log);
  if ($ask) { open my $out, '>', '/root/audit.new'; print $out audit(); close $out; rename '/root/audit.new', '/root/audit'; select undef, undef, undef, 0.02 while $ask } }
`;

beforeAll(async () => {
  lab = openSandboxLab();
  source = (await lab.boot("source")).record;
  await lab.sh(
    source,
    `cat > /root/writer.pl <<'END'\n${writer}\nEND\nmkdir -p /etc/keyframe/on-fork.d
printf '#!/bin/sh\\necho "$KEYFRAME_GENERATION $KEYFRAME_SEED" > /root/hook' > /etc/keyframe/on-fork.d/10-note; chmod +x /etc/keyframe/on-fork.d/10-note
setsid perl /root/writer.pl >/dev/null 2>&1 & while [ ! -e /root/pid ]; do sleep 0.1; done`,
  );
});
afterAll(() => lab?.close());

const snapshotOf = async (sandbox: SandboxRecord): Promise<ReadySnapshot> =>
  (await branchSandbox(lab.context, sandbox.id)).durable;
const forkOne = async (snapshot: ReadySnapshot) =>
  must(allStarted(await forkSnapshot(lab.context, snapshot, { count: 1 })));
const end = (sandbox: SandboxRecord) => removeSandbox(lab.context, findSandbox(lab.context, sandbox.id));

function must<T>(list: readonly T[]): T {
  const first = list[0];
  if (first === undefined) throw new Error("empty");
  return first;
}

/** What the writer finds in its memory at the end of a turn, and the last record that the disk itself holds. */
async function audit(sandbox: SandboxRecord) {
  const text = await lab.sh(
    sandbox,
    `rm -f /root/audit; kill -USR1 $(cat /root/pid); while [ ! -e /root/audit ]; do sleep 0.05; done; cat /root/audit
sync; echo 3 > /proc/sys/vm/drop_caches; echo; awk '{ if ($1 + 0 != NR) { print "gap", NR; exit } } END { print "records", NR }' /root/log; kill -USR2 $(cat /root/pid)`,
  );
  const [, turn, most, bad] = /turn (\d+) most (\d+) bad (\d+)/.exec(text) ?? [];
  return { turn: Number(turn), most: Number(most), bad: Number(bad), log: text.split("\n").at(-1) };
}

test("memory, processor and disk of a branch are from one instant, while the guest writes all the time", async () => {
  for (let round = 0; round < 4; round += 1) {
    const snapshot = await snapshotOf(source);
    expect(snapshot.pause?.pages).toBeGreaterThan(0);
    const child = await forkOne(snapshot);
    const found = await audit(child);
    expect(found).toMatchObject({ most: found.turn, bad: 0, log: `records ${found.turn}` });
    await end(child);
  }
  const found = await audit(source);
  expect(found).toMatchObject({ most: found.turn, bad: 0, log: `records ${found.turn}` });
});

test("the one-instant test finds a disk that is older than the memory", async () => {
  await snapshotOf(source);
  await audit(source);
  const snapshot = await snapshotOf(source);
  // the same memory on the disk of the snapshot before
  const started = await startSandbox(lab.context, {
    shape: snapshot.shape,
    base: snapshot,
    generation: snapshot.generation + 1,
    below: snapshot.disk.slice(1),
    start: {
      kind: "restore",
      deviceState: readDeviceState(lab.context, snapshot),
      hypervisor: snapshot.hypervisor,
    },
  }).catch(() => undefined);
  // the guest may not even come up on it; if it does, the log must show the hole
  if (started !== undefined) {
    const found = await audit(started.record).catch(() => ({ log: "unreadable", turn: 0 }));
    expect(found.log).not.toBe(`records ${found.turn}`);
    await end(started.record);
  }
});

test("the image of a branch is the source's memory, page for page, also of a branch of a child", async () => {
  const wholeMemory = (sandbox: SandboxRecord) => {
    const { machine } = findSandbox(lab.context, sandbox.id);
    if (machine === undefined) throw new Error("not running");
    const { pid } = machine.process;
    const mapping = lab.context.processMemory.findMapping(pid, machine.memoryPath);
    if (mapping === undefined) throw new Error("not mapped");
    const bytes = Buffer.alloc(mapping.sizeBytes);
    const pages = Array.from({ length: mapping.sizeBytes / (256 * pageBytes) }, (_, index) => ({
      address: mapping.address + BigInt(index * 256 * pageBytes),
      sizeBytes: 256 * pageBytes,
    }));
    lab.context.processMemory.read(pid, pages, bytes);
    return createHash("sha256").update(bytes).digest("hex");
  };
  const compare = async (sandbox: SandboxRecord) => {
    const machine = await attachMachine(lab.context, findSandbox(lab.context, sandbox.id));
    await machine.pause();
    machine.detach();
    const before = wholeMemory(sandbox);
    const snapshot = await snapshotOf(sandbox);
    const image = readFileSync(await ensureMemoryImage(lab.context, snapshot));
    expect(createHash("sha256").update(image).digest("hex")).toBe(before);
    return snapshot;
  };
  const child = await forkOne(await compare(source));
  await lab.sh(child, "head -c 3000000 /dev/urandom > /root/noise; rm /root/noise; echo changed");
  const grandchild = await forkOne(await compare(child));
  await compare(grandchild);
  await end(grandchild);
  await end(child);
});

test("children have their own memory, disk and identity, and the base stays as it was", async () => {
  const snapshot = await snapshotOf(source);
  const image = await ensureMemoryImage(lab.context, snapshot);
  const digest = () => createHash("sha256").update(readFileSync(image)).digest("hex");
  const before = digest();
  const children = allStarted(await forkSnapshot(lab.context, snapshot, { count: 4 }));
  const facts = [];
  for (const child of children) {
    facts.push(
      await lab.sh(
        child,
        "head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \\n'; echo; cat /etc/machine-id /proc/sys/kernel/random/boot_id /proc/sys/kernel/random/uuid; hostname; date +%s; cat /root/hook",
      ),
    );
  }
  const rows = facts.map((text) => text.split("\n"));
  for (const column of [0, 1, 2, 3, 4, 6])
    expect(new Set(rows.map((row) => row[column])).size, `column ${column}`).toBe(4);
  for (const row of rows) expect(Math.abs(Number(row[5]) - Date.now() / 1000)).toBeLessThan(60);
  await Promise.all(
    children.map((child, index) =>
      lab.sh(
        child,
        `echo child ${index} > /root/mine; dd if=/dev/urandom of=/root/blob bs=64k count=32 2>/dev/null; sync`,
      ),
    ),
  );
  for (const [index, child] of children.entries())
    expect(await lab.sh(child, "cat /root/mine")).toBe(`child ${index}`);
  await expect(lab.sh(source, "cat /root/mine")).rejects.toThrow(/No such file/);
  expect(digest()).toBe(before);
  for (const child of children) await end(child);
});

test("a chain keeps every level, costs its differences only, and compact gives the same guest on its own", async () => {
  let sandbox = await forkOne(await snapshotOf(source));
  const chain: ReadySnapshot[] = [];
  for (let level = 1; level <= 3; level += 1) {
    await lab.sh(sandbox, `echo ${level} >> /root/levels; sync`);
    const snapshot = await snapshotOf(sandbox);
    chain.push(snapshot);
    await end(sandbox);
    sandbox = await forkOne(snapshot);
    expect((await lab.sh(sandbox, "cat /root/levels")).split("\n")).toHaveLength(level);
  }
  for (const link of chain) {
    const stored = statSync(snapshotFiles(lab.context, link.id).memory).blocks * 512;
    expect(stored).toBeLessThanOrEqual((link.pause?.pages ?? 0) * pageBytes * 1.1 + 1024 * 1024);
    expect(link.memory.dataPages + link.memory.zeroPages).toBeLessThanOrEqual(link.pause?.pages ?? 0);
  }
  const head = chain[2];
  if (head === undefined) throw new Error("no head");
  // QEMU's own checker, on layers whose headers Keyframe wrote
  for (const { id, kind } of head.disk.filter((layer) => layer.kind === "qcow2")) {
    execFileSync("qemu-img", ["check", "-q", lab.context.home.diskLayer(id, kind)]);
  }
  const flat = await flattenSnapshot(lab.context, head);
  expect(flat.parent).toBeUndefined();
  expect(flat.disk).toHaveLength(1);
  const same = readFileSync(await ensureMemoryImage(lab.context, flat)).equals(
    readFileSync(await ensureMemoryImage(lab.context, head)),
  );
  expect(same).toBe(true);
  const alone = await forkOne(flat);
  expect(await lab.sh(alone, "tr -d '\\n' < /root/levels")).toBe("123");
  expect(await verifySnapshot(lab.context, head)).toEqual([]);
  const middle = must(chain);
  await expect(removeSnapshot(lab.context, findSnapshot(lab.context, middle.id), {})).rejects.toThrow(
    /dependent snapshots/,
  );
  await end(alone);
  await expect(
    removeSnapshot(lab.context, findSnapshot(lab.context, middle.id), { cascade: true }),
  ).rejects.toThrow(/run from/);
  await end(sandbox);
  const gone = await removeSnapshot(lab.context, findSnapshot(lab.context, middle.id), { cascade: true });
  expect(gone.snapshots.map((each) => each.id).sort()).toEqual(chain.map((each) => each.id).sort());
  // what was compacted does not need them
  await collectSandboxGarbage(lab.context, {});
  const again = await forkOne(mustBeReady(lab.context, findSnapshot(lab.context, flat.id)));
  expect(await lab.sh(again, "tr -d '\\n' < /root/levels")).toBe("123");
  await end(again);
});

test("each step of a branch can fail: the source goes on, nothing half is left, and the next branch is whole", async () => {
  const points = [
    "preallocate",
    "paused",
    "after-disk",
    "after-copy",
    "write-memory",
    "write-device-state",
    "freeze-disk",
    "publish",
  ];
  const before = listSnapshots(lab.context).map((each) => each.id);
  for (const point of points) {
    const failed = lab.cli(["sandbox", "snapshot", "source", "--name", "doomed"], {
      KEYFRAME_FAULT: `branch:${point}=ENOSPC`,
    });
    expect(failed.code, `${point}: ${failed.stderr}`).toBe(6);
    expect(failed.stderr, point).toContain("disk-full");
    expect(
      listSnapshots(lab.context).map((each) => each.id),
      point,
    ).toEqual(before);
    expect(await lab.sh(source, "echo alive"), point).toBe("alive");
  }
  for (const point of [
    "after-intent",
    "after-prepare",
    "paused",
    "after-disk",
    "after-copy",
    "write-memory",
    "freeze-disk",
    "publish",
  ]) {
    const killed = lab.cli(["sandbox", "snapshot", "source", "--name", `killed-${point}`], {
      KEYFRAME_FAULT: `branch:${point}`,
    });
    expect(killed.signal, point).toBe("SIGKILL");
    expect(await lab.sh(source, "echo alive"), point).toBe("alive");
    const left = listSnapshots(lab.context).find((each) => each.name === `killed-${point}`);
    if (left !== undefined) expect(() => mustBeReady(lab.context, left), point).toThrow(/never completed/);
  }
  await collectSandboxGarbage(lab.context, {});
  expect(listSnapshots(lab.context).map((each) => each.id)).toEqual(before);
  expect(readdirSync(lab.context.home.folder("staging"))).toEqual([]);
  const child = await forkOne(await snapshotOf(source));
  const found = await audit(child);
  expect(found).toMatchObject({ most: found.turn, bad: 0, log: `records ${found.turn}` });
  await end(child);
});

test("a process that hangs in the pause does not keep the guest stopped", async () => {
  const machine = await attachMachine(lab.context, findSandbox(lab.context, source.id));
  const watchdog = await startResumeWatchdog(lab.context, lab.context.home.sandboxFolder(source.id));
  watchdog.arm();
  await machine.pause();
  expect(await machine.isRunning()).toBe(false);
  while (!(await machine.isRunning())) await lab.context.clock.sleep(50);
  watchdog.dismiss();
  machine.detach();
});

test("a snapshot whose folder is taken away while it is written is an error, and the source goes on", async () => {
  const writing = await branchSandbox(lab.context, source.id);
  expect(() => mustBeReady(lab.context, findSnapshot(lab.context, writing.id))).toThrow(
    /still being written/,
  );
  await expect(removeSnapshot(lab.context, findSnapshot(lab.context, writing.id), {})).rejects.toThrow(
    /still being written/,
  );
  rmSync(snapshotFiles(lab.context, writing.id).folder, { recursive: true });
  await expect(writing.durable).rejects.toThrow(/does not exist/);
  expect(await lab.sh(source, "echo alive")).toBe("alive");
});

const rounds = Number(process.env["KEYFRAME_BRANCH_ROUNDS"] ?? 5);

test(`branches of one and of two sandboxes in the same instant do not mix, ${rounds} rounds`, async () => {
  const other = await forkOne(await snapshotOf(source));
  await lab.sh(other, "echo other > /root/who");
  await lab.sh(source, "echo source > /root/who");
  for (let round = 0; round < rounds; round += 1) {
    const writing = await Promise.all(
      [source, other, source].map(async (each) => ({ each, snapshot: await snapshotOf(each) })),
    );
    for (const { each, snapshot } of writing) expect(snapshot.sandbox).toBe(each.id);
    if (round > 0) continue;
    for (const { each, snapshot } of writing) {
      const child = await forkOne(snapshot);
      expect(await lab.sh(child, "cat /root/who")).toBe(each.id === other.id ? "other" : "source");
      await end(child);
    }
  }
  await end(other);
});

test("every damaged, cut or missing piece is named before a guest runs on it", async () => {
  const first = await snapshotOf(source);
  const child = await forkOne(first);
  const second = await snapshotOf(child);
  await end(child);
  const { context } = lab;
  const layer = must(second.disk);
  const pieces = [
    snapshotFiles(context, first.id).memory,
    snapshotFiles(context, second.id).memory,
    snapshotFiles(context, second.id).deviceState,
    context.home.diskLayer(layer.id, layer.kind),
    snapshotFiles(context, first.id).record,
  ];
  for (const path of pieces) {
    const good = readFileSync(path);
    const harm: [string, () => void][] = [
      [
        "changed",
        () =>
          writeFileSync(
            path,
            Buffer.concat([
              good.subarray(0, 5000 % good.length),
              Buffer.from([(good[5000 % good.length] ?? 0) ^ 1]),
              good.subarray((5000 % good.length) + 1),
            ]),
          ),
      ],
      ["cut", () => truncateSync(path, Math.floor(good.length / 3))],
      ["missing", () => rmSync(path)],
    ];
    for (const [what, apply] of harm) {
      await collectSandboxGarbage(context, {}); // no image from before
      apply();
      const sandboxes = listSandboxes(context).length;
      const error = await forkSnapshot(context, second, { count: 1 }).then(
        (results) => results.map((result) => (result.ok ? undefined : result.error))[0],
        (thrown: unknown) => thrown,
      );
      expect(isKeyframeError(error, "damaged", "not-found"), `${path} ${what}: ${String(error)}`).toBe(true);
      expect(listSandboxes(context)).toHaveLength(sandboxes);
      writeFileSync(path, good);
    }
  }
  await end(await forkOne(second));
});

test("a pack runs on another home, and a hostile one leaves nothing", async () => {
  const child = await forkOne(await flattenSnapshot(lab.context, await snapshotOf(source)));
  await lab.sh(child, "echo packed > /root/cargo");
  const snapshot = await snapshotOf(child);
  await end(child);
  const pack = join(lab.context.home.root, "x.kfpack");
  await packSnapshot(lab.context, snapshot, pack);
  const away = {
    ...lab.context,
    home: openSandboxHome(lab.context.files, lab.context.random, join(lab.context.home.root, "away")),
  };
  const bytes = readFileSync(pack);
  const renamed = Buffer.from(bytes);
  renamed.write("../../", renamed.indexOf(`disks/${must(snapshot.disk).id}`));
  const harm: Record<string, Buffer> = {
    "a flipped byte near the end": Buffer.concat([
      bytes.subarray(0, -200_000),
      Buffer.from([bytes.readUInt8(bytes.length - 200_000) ^ 1]),
      bytes.subarray(-199_999),
    ]),
    "a cut": bytes.subarray(0, bytes.length / 2),
    "a name that leaves": renamed,
    nothing: Buffer.alloc(0),
    zeros: Buffer.alloc(4096),
  };
  for (const [what, content] of Object.entries(harm)) {
    const path = `${pack}.bad`;
    writeFileSync(path, content);
    const error = await unpackSnapshot(away, path, undefined).catch((thrown: unknown) => thrown);
    expect(isKeyframeError(error, "damaged"), `${what}: ${String(error)}`).toBe(true);
    for (const folder of ["snapshots", "disks", "staging"] as const)
      expect(readdirSync(away.home.folder(folder)), what).toEqual([]);
  }
  const taken = await unpackSnapshot(away, pack, undefined);
  expect((await unpackSnapshot(away, pack, undefined)).id).toBe(taken.id);
  const moved = must(allStarted(await forkSnapshot(away, taken, { count: 1 })));
  const { stdout } = await withGuest(away, moved, (guest) =>
    collectCommand(guest, { argv: ["cat", "/root/cargo"] }),
  );
  expect(stdout.toString()).toBe("packed\n");
  await removeSandbox(away, findSandbox(away, moved.id));
});

test("a stopped sandbox continues with its memory, its name and its number", async () => {
  const child = await forkOne(await snapshotOf(source));
  await lab.sh(child, "echo kept > /dev/shm/memory-only");
  const stopped = await suspendSandbox(lab.context, findSandbox(lab.context, child.id));
  expect(sandboxState(lab.context, stopped)).toBe("stopped");
  await expect(lab.sh(stopped, "true")).rejects.toThrow();
  const resumed = await resumeSandbox(lab.context, stopped);
  expect(resumed.record.id).toBe(child.id);
  expect(await lab.sh(resumed.record, "cat /dev/shm/memory-only")).toBe("kept");
  await end(resumed.record);
});

test("another process adopts what runs; what died is seen as dead and never mistaken for another process", async () => {
  const child = await forkOne(await snapshotOf(source));
  expect(JSON.parse(lab.cli(["sandbox", "info", child.id, "--json"]).stdout)).toMatchObject({
    state: "running",
  });
  expect(lab.cli(["sandbox", "exec", child.id, "--", "echo", "adopted"]).stdout).toBe("adopted\n");
  const { machine } = findSandbox(lab.context, child.id);
  if (machine === undefined) throw new Error("not running");
  lab.context.processTable.signal(machine.process, "SIGKILL");
  while (lab.context.processTable.isRunning(machine.process)) await lab.context.clock.sleep(5);
  expect(sandboxState(lab.context, findSandbox(lab.context, child.id))).toBe("dead");
  // the same pid with another start: this very process
  const impostor = { ...lab.context.processTable.self(), startedAt: machine.process.startedAt };
  expect(lab.context.processTable.signal(impostor, "SIGKILL")).toBe(false);
  await end(child);
});

test("a start that is killed at any step leaves nothing that gc does not remove", async () => {
  await collectSandboxGarbage(lab.context, {});
  const layers = readdirSync(lab.context.home.folder("disks")).sort();
  for (const point of ["start:after-record", "start:after-machine"]) {
    const killed = lab.cli(["sandbox", "run", "debian", "--memory", "160M", "--disk", "1G"], {
      KEYFRAME_FAULT: point,
    });
    expect(killed.signal, point).toBe("SIGKILL");
    const left = listSandboxes(lab.context).filter((each) => sandboxState(lab.context, each) === "abandoned");
    expect(left, point).toHaveLength(1);
    const pidFile = join(lab.context.home.sandboxFolder(must(left).id), "qemu.pid");
    const machine = existsSync(pidFile)
      ? lab.context.processTable.identify(Number(readFileSync(pidFile, "utf8")))
      : undefined;
    expect(machine !== undefined, point).toBe(point === "start:after-machine");
    await collectSandboxGarbage(lab.context, {});
    if (machine !== undefined) expect(lab.context.processTable.isRunning(machine)).toBe(false);
    expect(readdirSync(lab.context.home.folder("disks")).sort(), point).toEqual(layers);
  }
});

test("a time to live ends the machine with nobody watching", async () => {
  const child = must(
    allStarted(await forkSnapshot(lab.context, await snapshotOf(source), { count: 1, lifetimeMs: 4_000 })),
  );
  const { machine } = findSandbox(lab.context, child.id);
  if (machine === undefined) throw new Error("not running");
  while (lab.context.processTable.isRunning(machine.process)) await lab.context.clock.sleep(50);
  expect(sandboxState(lab.context, findSandbox(lab.context, child.id))).toBe("dead");
  await end(child);
});

test("--no-wait answers while the snapshot is written, and the sandbox runs", async () => {
  const asked = lab.cli(["sandbox", "snapshot", "source", "--name", "later", "--no-wait", "--json"]);
  expect(asked.code, asked.stderr).toBe(0);
  const { snapshot, state } = JSON.parse(asked.stdout);
  expect(state).toBe("writing");
  while (findSnapshot(lab.context, snapshot).state !== "ready") await lab.context.clock.sleep(20);
  await end(await forkOne(mustBeReady(lab.context, findSnapshot(lab.context, "later"))));
});
