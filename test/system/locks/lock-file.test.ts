// Covers src/system/locks/**.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { KeyframeError } from "../../../src/base/errors.ts";
import { createFakeClock } from "../../../src/system/clock.ts";
import { type Files, nodeFiles } from "../../../src/system/files/files.ts";
import { acquireLock, type LockDeps, withLockFile } from "../../../src/system/locks/lock-file.ts";
import { readLockHolder, removeLockOfDead } from "../../../src/system/locks/take-over.ts";
import { nodeProcessTable } from "../../../src/system/process/process-table.ts";
import { makeZombie } from "../../support/zombie.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kf-lock-"));
  path = join(folder, "lock");
});
afterEach(() => rmSync(folder, { recursive: true }));

const dead = JSON.stringify({ pid: 4194305, startedAt: "1", bootId: "" });
const once = { timeoutMs: 0, onTakeover: () => undefined };
const depsWith = (files: Partial<Files> = {}): LockDeps => ({
  files: { ...nodeFiles, ...files },
  clock: createFakeClock(Date.now()),
  processTable: nodeProcessTable,
});
const codeOf = (work: () => unknown) => {
  try {
    work();
    return "done";
  } catch (error) {
    return error instanceof KeyframeError ? error.code : String(error);
  }
};

test("one holder at a time; the next one gets it when it is released", () => {
  const deps = depsWith();
  withLockFile(deps, path, once, () => {
    expect(readLockHolder(nodeFiles, path)).toEqual(nodeProcessTable.self());
    expect(codeOf(() => acquireLock(deps, path, once))).toBe("lock-busy");
  });
  expect(existsSync(path)).toBe(false);
});

test("a holder that lives is waited for by the clock that was given, then named", () => {
  const deps = depsWith();
  acquireLock(deps, path, once);
  const before = deps.clock.monotonicMs();
  expect(() => acquireLock(deps, path, { ...once, timeoutMs: 5000 })).toThrow(
    `timed out after 5 s waiting for the lock ${path}, held by process ${process.pid} (${nodeProcessTable.programOf(process.pid)})`,
  );
  expect(deps.clock.monotonicMs() - before).toBeGreaterThanOrEqual(5000);
});

test("a lock that passes from one holder to the next is waited for longer than one that hangs", () => {
  const deps = depsWith();
  const holders = [process.pid, process.ppid].map((pid) => JSON.stringify(nodeProcessTable.identify(pid)));
  const patient = { timeoutMs: 200, turns: 6, onTakeover: () => undefined };
  const waitWhile = (turns: number, endMs: number) => {
    const clock = createFakeClock(Date.now());
    writeFileSync(path, holders[0] ?? "");
    const sleepSync = (delayMs: number) => {
      clock.sleepSync(delayMs);
      const turn = Math.floor(clock.monotonicMs() / 80);
      if (clock.monotonicMs() > endMs) rmSync(path, { force: true });
      else if (turn <= turns) writeFileSync(path, holders[turn % 2] ?? "");
    };
    const code = codeOf(() =>
      withLockFile({ ...deps, clock: { ...clock, sleepSync } }, path, patient, () => 0),
    );
    return [code, clock.monotonicMs() > 300, clock.monotonicMs() > 1300];
  };
  expect(waitWhile(10, 600)).toEqual(["done", true, false]);
  expect(waitWhile(0, 600)).toEqual(["lock-busy", false, false]);
  expect(waitWhile(100, 1800)).toEqual(["lock-busy", true, false]);
});

test("a lock that names nobody is waited for and never removed", () => {
  writeFileSync(path, "of another program");
  expect(() => acquireLock(depsWith(), path, once)).toThrow("held by a process that it does not name");
  expect(readFileSync(path, "utf8")).toBe("of another program");
});

test("the lock of a process that was killed and not reaped is taken over, and what it began is finished first", async () => {
  const zombie = await makeZombie(
    `exec ${process.execPath} -e 'const { pid } = process, stat = fs.readFileSync("/proc/self/stat", "latin1"); ` +
      `fs.writeFileSync("lock", JSON.stringify({ pid, startedAt: stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] })); process.kill(pid, 9)'`,
    { cwd: folder },
  );
  onTestFinished(() => zombie.end());
  expect(readLockHolder(nodeFiles, path)?.pid).toBe(zombie.pid);
  const onTakeover = vi.fn<() => void>();
  withLockFile(depsWith(), path, { timeoutMs: 0, onTakeover }, () => {
    expect(onTakeover).toHaveBeenCalledOnce();
  });
});

test("where what a dead holder began cannot be finished, whoever comes next tries again", () => {
  writeFileSync(path, dead);
  const onTakeover = vi.fn<() => void>().mockImplementationOnce(() => {
    throw new Error("disk full");
  });
  const options = { timeoutMs: 0, onTakeover };
  expect(() => acquireLock(depsWith(), path, options)).toThrow("disk full");
  expect(readFileSync(path, "utf8")).toBe(dead);
  withLockFile(depsWith(), path, options, () => expect(onTakeover).toHaveBeenCalledTimes(2));
  expect(existsSync(path)).toBe(false);
});

test("a disk that is too full to give the lock back leaves it to this process's end", () => {
  writeFileSync(path, dead);
  let writes = 0;
  const replaceWithoutSync: Files["replaceWithoutSync"] = (...args) => {
    writes += 1;
    if (writes > 1) throw new Error("no space left");
    nodeFiles.replaceWithoutSync(...args);
  };
  const onTakeover = () => {
    throw new Error("cannot finish");
  };
  const take = () => acquireLock(depsWith({ replaceWithoutSync }), path, { timeoutMs: 0, onTakeover });
  expect(take).toThrow("cannot finish");
  expect(readLockHolder(nodeFiles, path)).toEqual(nodeProcessTable.self());
});

describe("two processes find the same dead holder", () => {
  test("the second looks again before it writes: it does not take the first one's lock", () => {
    writeFileSync(path, dead);
    let first = "";
    // between the second one's look and its take-over, the first takes the lock
    const createIfAbsent: Files["createIfAbsent"] = (target, ...rest) => {
      if (target.startsWith(`${path}.takeover`) && first === "") {
        first = codeOf(() => acquireLock(depsWith(), path, once));
      }
      return nodeFiles.createIfAbsent(target, ...rest);
    };
    const second = codeOf(() => acquireLock(depsWith({ createIfAbsent }), path, once));
    expect([first, second]).toEqual(["done", "lock-busy"]);
    expect(readLockHolder(nodeFiles, path)).toEqual(nodeProcessTable.self());
    expect(readdirSync(folder)).toEqual(["lock"]);
  });

  test("while the first takes it the second waits, so that only one of them gets it", () => {
    writeFileSync(path, dead);
    let second = "";
    const replaceWithoutSync: Files["replaceWithoutSync"] = (target, ...rest) => {
      if (target === path && second === "") second = codeOf(() => acquireLock(depsWith(), path, once));
      nodeFiles.replaceWithoutSync(target, ...rest);
    };
    const first = codeOf(() => acquireLock(depsWith({ replaceWithoutSync }), path, once));
    expect([first, second]).toEqual(["done", "lock-busy"]);
  });

  test("those that were killed while they took over, one after the other, stop nobody", () => {
    writeFileSync(path, dead);
    const killed = Array.from({ length: 3 }, (_, at) => dead.replace('"1"', `"${at + 2}"`));
    for (const content of killed) {
      const asIfKilled = new Error("killed");
      const files: Partial<Files> = {
        replaceWithoutSync: () => {
          throw asIfKilled;
        },
        remove: () => undefined,
        createIfAbsent: (target, _, options) =>
          nodeFiles.createIfAbsent(target, Buffer.from(content), options),
      };
      expect(codeOf(() => acquireLock(depsWith(files), path, once))).toBe(String(asIfKilled));
    }
    expect(readdirSync(folder)).toHaveLength(4);
    expect(codeOf(() => acquireLock(depsWith(), path, once))).toBe("done");
    expect(readdirSync(folder)).toEqual(["lock"]);
  });

  test("one that takes it only to free it leaves nothing behind, and nothing is freed of one that lives", () => {
    writeFileSync(path, dead);
    expect(removeLockOfDead(depsWith(), path)).toBe(true);
    expect(readdirSync(folder)).toEqual([]);
    acquireLock(depsWith(), path, once);
    expect(removeLockOfDead(depsWith(), path)).toBe(false);
    expect(readdirSync(folder)).toEqual(["lock"]);
  });
});

describe.skipIf(process.platform !== "linux")("a process is stopped in the middle of a take-over", () => {
  const loader = join(import.meta.dirname, "../../../scripts/typescript.mjs");
  const source = join(import.meta.dirname, "../../../src/system");

  /** A process that stops itself as it is about to write over the dead holder's lock. */
  async function stoppedTaker(): Promise<ChildProcess> {
    const script = `
      import { nodeFiles } from ${JSON.stringify(join(source, "files/files.ts"))};
      import { acquireLock } from ${JSON.stringify(join(source, "locks/lock-file.ts"))};
      import { nodeProcessTable } from ${JSON.stringify(join(source, "process/process-table.ts"))};
      import { nodeClock } from ${JSON.stringify(join(source, "clock.ts"))};
      const files = { ...nodeFiles, replaceWithoutSync(...all) {
        process.kill(process.pid, "SIGSTOP");
        nodeFiles.replaceWithoutSync(...all);
      } };
      acquireLock({ files, clock: nodeClock, processTable: nodeProcessTable }, ${JSON.stringify(path)},
        { timeoutMs: 60_000, onTakeover: () => undefined });
      process.stdout.write("has it");
      setInterval(() => undefined, 1000);`;
    const words = ["--import", loader, "--input-type=module", "-e", script];
    const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
    onTestFinished(() => void child.kill("SIGKILL"));
    const isStopped = () => /\) T /.test(readFileSync(`/proc/${child.pid}/stat`, "latin1"));
    await vi.waitUntil(isStopped, { timeout: 60_000, interval: 10 });
    return child;
  }

  test("nobody else takes it meanwhile, for a minute too; then it is the only holder", async () => {
    writeFileSync(path, dead);
    const child = await stoppedTaker();
    const patient = { ...once, timeoutMs: 60_000 };
    expect(codeOf(() => acquireLock(depsWith(), path, patient))).toBe("lock-busy");
    child.kill("SIGCONT");
    await new Promise((resolve) => child.stdout?.once("data", resolve));
    expect(readLockHolder(nodeFiles, path)?.pid).toBe(child.pid);
    expect(codeOf(() => acquireLock(depsWith(), path, once))).toBe("lock-busy");
  });

  test("once it is killed, the next one takes the lock at once", async () => {
    writeFileSync(path, dead);
    const child = await stoppedTaker();
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
    expect(codeOf(() => acquireLock(depsWith(), path, once))).toBe("done");
    expect(readdirSync(folder)).toEqual(["lock"]);
  });
});
