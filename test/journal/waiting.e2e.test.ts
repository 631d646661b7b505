import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { mustFindRepository } from "../../src/git/repository.ts";
import { verifyJournal } from "../../src/journal/upkeep/verify.ts";
import { type Clock, nodeClock } from "../../src/system/clock.ts";
import { temporaryName } from "../../src/system/files/files.ts";
import { nodeMachine } from "../../src/system/machine/machine.ts";
import { nodeProcessTable } from "../../src/system/process/process-table.ts";
import {
  type AuthorshipRepo,
  agentB,
  makeAuthorshipRepo,
  nodeObserveDeps,
} from "../support/authorship-repo.ts";
import { bundleChildProgram, type ChildProgram } from "../support/child-program.ts";

/** Time passes where a process would sleep, and nobody sleeps. */
function impatientClock(): Clock {
  let skippedMs = 0;
  return {
    ...nodeClock,
    nowMs: () => nodeClock.nowMs() + skippedMs,
    monotonicMs: () => nodeClock.monotonicMs() + skippedMs,
    sleepSync(delayMs) {
      skippedMs += delayMs;
    },
  };
}

let program: ChildProgram;
let repo: AuthorshipRepo;
beforeAll(() => {
  program = bundleChildProgram("test/journal/crash-program.ts");
});
afterAll(() => program.remove());
beforeEach(() => {
  repo = makeAuthorshipRepo({ ...nodeObserveDeps, clock: impatientClock() });
});
afterEach(() => repo.remove());

const folder = (path: string) => join(repo.folder, ".git/keyframe/journal", path);
const waiting = () => {
  try {
    return readdirSync(folder("waiting"));
  } catch {
    return [];
  }
};

/** While a process that lives holds the journal's lock and does nothing. */
function whileHung(work: () => void): void {
  const lock = folder("lock");
  mkdirSync(dirname(lock), { recursive: true });
  writeFileSync(lock, JSON.stringify(nodeProcessTable.self()));
  try {
    work();
  } finally {
    rmSync(lock);
  }
}

test("an edit whose hook got no lock is credited by the commit, and nothing is left waiting", async () => {
  repo.write("f", "base");
  await repo.commit();
  whileHung(() => {
    repo.agentBegins("f");
    repo.write("f", "base", "by A");
    expect(repo.agentReports("f")).toMatchObject({ credited: 1, problems: [] });
    repo.agentEdit("f", () => repo.write("f", "base", "by A", "by B"), agentB);
    repo.agentEdit("new", () => repo.write("new", "by B"), agentB);
  });
  expect(waiting()).toHaveLength(6);
  await repo.commit();
  expect([repo.blame("f"), repo.blame("new")]).toEqual(["UAB", "B"]);
  expect(waiting()).toEqual([]);
});

test("what waits can be read by its owner only", () => {
  whileHung(() => repo.agentEdit("f", () => repo.write("f", "by A")));
  expect(statSync(folder("waiting")).mode & 0o777).toBe(0o700);
  for (const name of waiting()) expect(statSync(folder(`waiting/${name}`)).mode & 0o777).toBe(0o600);
});

test("while what a killed process left cannot be finished, edits wait as well", async () => {
  repo.write("f", "base");
  await repo.commit();
  repo.agentEdit("f", () => repo.write("f", "base", "by A"));
  const [epoch = ""] = readdirSync(folder("")).filter((name) => statSync(folder(name)).isDirectory());
  const inTheWay = folder(`${epoch}/.x.4194305.0.tmp`);
  expect(temporaryName.test(basename(inTheWay))).toBe(true);
  mkdirSync(inTheWay);
  writeFileSync(folder("lock"), JSON.stringify({ pid: 4194305, startedAt: "1", bootId: "" }));
  repo.agentBegins("f");
  repo.write("f", "base", "by A", "by A too");
  expect(repo.agentReports("f")).toMatchObject({ credited: 1, problems: [] });
  expect(waiting()).toHaveLength(2);
  rmdirSync(inTheWay);
  await repo.commit();
  expect(repo.blame("f")).toBe("UAA");
  expect([waiting(), existsSync(folder("lock"))]).toEqual([[], false]);
});

test("only the beginning, or only the end of a call got the lock", async () => {
  repo.write("f", "base");
  repo.write("g", "base");
  await repo.commit();
  whileHung(() => repo.agentBegins("f"));
  repo.write("f", "base", "by A");
  repo.agentReports("f");
  repo.agentBegins("g");
  repo.write("g", "base", "by A");
  whileHung(() => void repo.agentReports("g"));
  await repo.commit();
  expect([repo.blame("f"), repo.blame("g")]).toEqual(["UA", "UA"]);
});

test("a person's save and a shell call's work wait as well, in their order", async () => {
  repo.write("f", "base");
  await repo.commit();
  whileHung(() => {
    repo.snapshot("f");
    repo.write("f", "base", "by K");
    repo.humanSaves("f");
    repo.shellBegins("one");
    repo.write("f", "base", "by K", "by the shell");
    repo.write("made", "by the shell");
    expect(repo.shellEnds("one").problems).toEqual([]);
  });
  await repo.commit();
  expect([repo.blame("f"), repo.blame("made")]).toEqual(["UKA", "A"]);
});

test("work that waited on one commit is settled though HEAD moved on before anybody took it in", async () => {
  repo.write("f", "base");
  await repo.commit();
  whileHung(() => repo.agentEdit("f", () => repo.write("f", "base", "by A")));
  repo.git("commit", "-qam", "seen by no hook");
  repo.agentEdit("g", () => repo.write("g", "by B"), agentB);
  await repo.commit();
  expect([repo.blame("f"), repo.blame("g")]).toEqual(["UA", "B"]);
});

test("where another process moved the path meanwhile, its state stays the newest and the one that waited an earlier one", async () => {
  repo.write("f", "base");
  await repo.commit();
  repo.agentEdit("f", () => repo.write("f", "base", "first"), agentB);
  whileHung(() => repo.agentEdit("f", () => repo.write("f", "base", "first", "by A")));
  const kept = waiting().map((name) => [name, statSync(folder(`waiting/${name}`)).size] as const);
  expect(kept.length).toBe(2);
  // the hung process goes on with what it was about to record
  const hidden = folder("hidden");
  mkdirSync(hidden);
  for (const [name] of kept) renameSync(folder(`waiting/${name}`), join(hidden, name));
  repo.write("f", "base", "first", "by A");
  repo.git("add", "f");
  repo.agentEdit("f", () => repo.write("f", "base", "first", "later"), agentB);
  for (const [name] of kept) renameSync(join(hidden, name), folder(`waiting/${name}`));
  repo.agentEdit("g", () => repo.write("g", "by B"), agentB);
  expect(waiting()).toEqual([]);
  await repo.commitIndex();
  expect(repo.blame("f")).toBe("UBA");
  await repo.commit();
  expect(repo.blame("f")).toBe("UBB");
});

test("a process killed while it takes in what waits makes nothing twice", async () => {
  repo.write("f", "base");
  await repo.commit();
  whileHung(() => repo.agentEdit("f", () => repo.write("f", "base", "by A")));
  repo.write("g", "by A");
  const env = { ...process.env, KEYFRAME_FAULT: "journal:after-waiting-before-remove" };
  const killed = spawnSync(process.execPath, [program.path, repo.folder, "report", "g", "call"], { env });
  expect(killed.signal).toBe("SIGKILL");
  expect(waiting().length).toBeGreaterThan(0);
  await repo.commit();
  expect(repo.blame("f")).toBe("UA");
  expect(waiting()).toEqual([]);
});

test("a damaged file is named, kept, and in nobody's way", async () => {
  whileHung(() => repo.agentEdit("f", () => repo.write("f", "by A")));
  const [first = ""] = waiting();
  writeFileSync(folder(`waiting/${first}`), '{"sum":"00000000","base":"initial"}\n');
  await repo.commit();
  expect(repo.blame("f")).toBe("A");
  expect(waiting()).toEqual([first]);
  const findings = verifyJournal(nodeObserveDeps, mustFindRepository(repo.folder, nodeMachine));
  expect(findings.map(({ where }) => where)).toEqual([folder(`waiting/${first}`)]);
});
