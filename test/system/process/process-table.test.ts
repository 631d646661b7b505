// Covers src/system/process/**.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  createProcSource,
  createPsSource,
  createSignalSource,
  parseProcStat,
  parsePsRow,
} from "../../../src/system/process/process-source.ts";
import {
  createProcessTable,
  isSameProcess,
  nodeProcessTable,
  parseProcessIdentity,
} from "../../../src/system/process/process-table.ts";
import { makeZombie } from "../../support/zombie.ts";

describe("reading /proc", () => {
  test.each([
    ["4711 (node) S 12 4711 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 98765 1 2", 12, "node", "98765", false],
    ["4711 (a) b (c)) R 1 0 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5 1 2", 1, "a) b (c)", "5", false],
    ["4711 (gone) Z 9 0 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0", 9, "gone", "5", true],
  ])("%s", (stat, parent, program, startedAt, isZombie) => {
    expect(parseProcStat(stat)).toEqual({ parent, program, startedAt, isZombie });
  });

  test("a cut or foreign line is no process", () => {
    for (const text of ["", "4711", "4711 (node", "4711 (node) S 12"])
      expect(parseProcStat(text)).toBeUndefined();
  });

  test("a pid of an earlier boot is another process", () => {
    const root = mkdtempSync(join(tmpdir(), "kf-proc-"));
    onTestFinished(() => rmSync(root, { recursive: true }));
    const boot = (id: string) => {
      mkdirSync(join(root, "sys/kernel/random"), { recursive: true });
      mkdirSync(join(root, "7"), { recursive: true });
      writeFileSync(join(root, "sys/kernel/random/boot_id"), `${id}\n`);
      writeFileSync(join(root, "7/stat"), `7 (x) S 1 ${"0 ".repeat(17)}42 0`);
      return createProcessTable(createProcSource(root), { pid: 7, ppid: 1 });
    };
    const before = boot("one").self();
    expect(before).toEqual({ pid: 7, startedAt: "42", bootId: "one" });
    expect(boot("one").isRunning(before)).toBe(true);
    expect(boot("two").isRunning(before)).toBe(false);
  });
});

describe("reading ps", () => {
  test.each([
    ["Ss       1 Mon Nov  2 08:15:42 2026 /sbin/launchd\n", 1, "launchd", false],
    [
      "S+    4710 Mon Nov 30 19:47:00 2026 /Applications/My Editor.app/Contents/MacOS/My Editor",
      4710,
      "My Editor",
      false,
    ],
    ["Z+       9 Tue Dec  1 00:00:00 2026 (git)", 9, "(git)", true],
  ])("%s", (row, parent, program, isZombie) => {
    expect(parsePsRow(row)).toMatchObject({ parent, program, isZombie });
  });

  test("what is no row is no process", () => {
    for (const text of ["", "\n", "ps: illegal option", "S 1 today node"])
      expect(parsePsRow(text)).toBeUndefined();
  });

  test("ancestors are followed to the first process, and the program is asked once for each", () => {
    const rows: Record<string, string> = {
      "30": "S 20 Mon Nov  2 08:15:42 2026 /bin/sh",
      "20": "S 1 Mon Nov  2 08:15:41 2026 /usr/local/bin/claude",
    };
    const asked: string[] = [];
    const table = createProcessTable(
      createPsSource((args) => {
        asked.push(args.at(-1) ?? "");
        return rows[args.at(-1) ?? ""];
      }),
      { pid: 40, ppid: 30 },
    );
    expect(table.ancestors(4).map(({ pid, program }) => [pid, program])).toEqual([
      [30, "sh"],
      [20, "claude"],
    ]);
    expect(asked).toEqual(["30", "20"]);
  });

  test("the real ps and /proc agree about this process, its parent and its arguments", ({ skip }) => {
    skip(process.platform !== "linux", "there is no /proc to compare with");
    const [ps, proc] = [createPsSource(), createProcSource()];
    const [fromPs, fromProc] = [ps.lookUp(process.pid), proc.lookUp(process.pid)];
    expect(fromPs?.parent).toBe(fromProc?.parent);
    expect(fromPs?.isZombie).toBe(false);
    expect(Date.parse(`${fromPs?.startedAt} UTC`)).toBeLessThanOrEqual(Date.now() + 1000);
    expect(ps.argumentsOf(process.pid)[0]).toBe(proc.argumentsOf(process.pid)[0]);
    expect(ps.lookUp(4194305)).toBeUndefined();
  });
});

describe.each([
  ["the system's own source", nodeProcessTable],
  ["ps", createProcessTable(createPsSource())],
])("by %s", (_, table) => {
  test("a process runs until it ends, and counts as gone while nobody has reaped it", async () => {
    const child = spawn("sleep", ["60"]);
    const identity = table.identify(child.pid ?? 0);
    expect(identity).toBeDefined();
    if (identity === undefined) return;
    expect(table.isRunning(identity)).toBe(true);
    expect(table.programOf(child.pid ?? 0)).toBe("sleep");
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(table.isRunning(identity)).toBe(false);
    const zombie = await makeZombie();
    onTestFinished(() => zombie.end());
    expect(execFileSync("ps", ["-o", "state=", "-p", String(zombie.pid)], { encoding: "utf8" })).toMatch(
      /^Z/,
    );
    expect(table.identify(zombie.pid)).toBeUndefined();
  });

  test("the own process is running, and its parent is the first ancestor", () => {
    expect(table.isRunning(table.self())).toBe(true);
    expect(table.ancestors(1).map(({ pid }) => pid)).toEqual([process.ppid]);
  });
});

test("without /proc and ps a pid that is in use runs, and one that is not does not", () => {
  const table = createProcessTable(createSignalSource());
  expect(table.isRunning(table.self())).toBe(true);
  expect(table.isRunning({ ...table.self(), pid: 4194305 })).toBe(false);
});

describe("identities in state files", () => {
  test("are read as every version wrote them", () => {
    const now = { pid: 5, startedAt: "9", bootId: "b" };
    expect(parseProcessIdentity(now)).toEqual(now);
    expect(parseProcessIdentity({ pid: 5, startTicks: "9", bootId: "b" })).toEqual(now);
    expect(parseProcessIdentity({ pid: 5, startedAt: "9" })).toEqual({ ...now, bootId: "" });
  });

  test("are nothing else", () => {
    for (const value of [
      null,
      5,
      "5",
      [],
      {},
      { pid: "5", startedAt: "9" },
      { pid: 0, startedAt: "9" },
      { pid: 1.5, startedAt: "9" },
      { pid: 5, startedAt: 9 },
      { pid: 5, startedAt: "9", bootId: 1 },
    ])
      expect(parseProcessIdentity(value)).toBeUndefined();
  });

  test("one without a boot is of any boot", () => {
    const [old, one, two] = ["", "one", "two"].map((bootId) => ({ pid: 5, startedAt: "9", bootId }));
    if (old === undefined || one === undefined || two === undefined) throw new Error("three were made");
    expect([isSameProcess(old, one), isSameProcess(two, old), isSameProcess(one, two)]).toEqual([
      true,
      true,
      false,
    ]);
    expect(isSameProcess(one, { ...one, startedAt: "8" })).toBe(false);
    expect(isSameProcess(one, { ...one, pid: 6 })).toBe(false);
  });
});
