// Covers src/state/**.
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { observe } from "../../src/authorship/record/observe.ts";
import { mustFindRepository } from "../../src/git/repository.ts";
import { listEpochs as epochsOf, listEpochs, logPath } from "../../src/journal/layout.ts";
import { withJournalLock } from "../../src/journal/log/journal.ts";
import { readEvents } from "../../src/journal/log/log.ts";
import { hasWaiting } from "../../src/journal/log/waiting-files.ts";
import { encodeRecordLine, parseRecordLine } from "../../src/journal/record-line.ts";
import { pruneJournal } from "../../src/journal/upkeep/prune.ts";
import { repairJournal, verifyJournal } from "../../src/journal/upkeep/verify.ts";
import { listLockFiles } from "../../src/state/lock-files.ts";
import { readProblems, recordProblem } from "../../src/state/problems.ts";
import { createFakeClock } from "../../src/system/clock.ts";
import { nodeFiles } from "../../src/system/files/files.ts";
import { nodeMachine } from "../../src/system/machine/machine.ts";
import { type AuthorshipRepo, makeAuthorshipRepo, nodeObserveDeps } from "../support/authorship-repo.ts";

let repo: AuthorshipRepo;
beforeEach(() => {
  repo = makeAuthorshipRepo();
  for (let index = 0; index < 5; index += 1) repo.agentEdit("f", () => repo.write("f", `version ${index}`));
});
afterEach(() => repo.remove());

const repository = () => mustFindRepository(repo.folder, nodeMachine);
const onlyEpoch = () => {
  const [epoch] = listEpochs(repository(), nodeFiles);
  if (epoch === undefined) throw new Error("no epoch");
  return epoch;
};
const findFile = (pattern: RegExp) => {
  const name = readdirSync(onlyEpoch().folder, { recursive: true, encoding: "utf8" }).find((found) =>
    pattern.test(found),
  );
  return join(onlyEpoch().folder, name ?? "");
};
const kinds = () => verifyJournal(nodeObserveDeps, repository()).map((finding) => finding.kind);

describe("prune", () => {
  test("drops what is older and damaged, keeps what heads name, and a dry run changes nothing", async () => {
    const path = logPath(onlyEpoch());
    appendFileSync(path, "not an event\n");
    const before = readFileSync(path);
    const options = { beforeMs: Date.now() + 1000, dryRun: true };
    expect(pruneJournal(nodeObserveDeps, repository(), options)).toEqual({
      keptEvents: 1,
      droppedEvents: 9,
      damagedLines: 1,
    });
    expect(readFileSync(path)).toEqual(before);
    pruneJournal(nodeObserveDeps, repository(), { ...options, dryRun: false });
    expect([...readEvents(nodeFiles, path)]).toHaveLength(1);
    expect(kinds()).toEqual([]);
    await repo.commit();
    expect(repo.blame("f")).toBe("A");
  });

  test("of nothing old keeps every event byte for byte", () => {
    const path = logPath(onlyEpoch());
    const before = readFileSync(path);
    pruneJournal(nodeObserveDeps, repository(), { beforeMs: 0, dryRun: false });
    expect(readFileSync(path)).toEqual(before);
  });
});

describe("verify", () => {
  test("finds nothing wrong with what was just recorded", () => {
    expect(verifyJournal(nodeObserveDeps, repository())).toEqual([]);
  });

  test("a damaged head is found, made again from the log, and the work settles", async () => {
    const head = findFile(/head\.json$/);
    writeFileSync(head, readFileSync(head, "utf8").replace('"current"', '"currant"'));
    expect(kinds()).toEqual(["damaged-head"]);
    expect(repairJournal(nodeObserveDeps, repository())).toBe(1);
    expect(kinds()).toEqual([]);
    await repo.commit();
    expect(repo.blame("f")).toBe("A");
  });

  test("changed and missing contents and files of killed processes are named", () => {
    const content = findFile(/[0-9a-f]{64}$/);
    appendFileSync(content, "tampered");
    writeFileSync(join(onlyEpoch().folder, "log.jsonl.4194305.1.tmp"), "half");
    expect(kinds().sort()).toEqual(["abandoned-file", "damaged-content"]);
    repairJournal(nodeObserveDeps, repository());
    expect(kinds()).toEqual(["damaged-content"]);
  });
});

test("a lock of a process that is gone is taken over, one of a living process is waited for and then told", () => {
  const lock = join(repo.folder, ".git/keyframe/journal/lock");
  writeFileSync(lock, JSON.stringify({ pid: 4194305, startedAt: "1" }));
  const held = listLockFiles(nodeObserveDeps, repository());
  expect(held.map(({ path, holder, isRunning }) => [path, holder.pid, isRunning])).toEqual([
    [lock, 4194305, false],
  ]);
  repo.agentEdit("g", () => repo.write("g", "x"));
  expect(epochsOf(repository(), nodeFiles)).toHaveLength(1);
  expect(kinds()).toEqual([]);
  writeFileSync(lock, JSON.stringify(nodeObserveDeps.processTable.self()));
  const impatient = () => ({ ...nodeObserveDeps, clock: createFakeClock(Date.now()) });
  expect(() => withJournalLock(impatient(), repository(), () => 0)).toThrow(
    `held by process ${process.pid} (`,
  );
  // a hook, which nobody asks again, leaves what it saw for the next holder (waiting.e2e.test.ts)
  repo.write("g", "x", "y");
  const outcome = observe(
    { kind: "known-human-edit", paths: [repo.path("g")], cwd: repo.folder },
    impatient(),
  );
  expect([outcome.credited, outcome.problems]).toEqual([1, []]);
  expect(hasWaiting(repository(), nodeFiles)).toBe(true);
});

test("problems are kept in a file of bounded size, newest last", () => {
  for (let at = 0; at < 1500; at += 1) {
    recordProblem(repository(), nodeFiles, { at, where: "test", what: "x".repeat(500) });
  }
  const problems = readProblems(repository(), nodeFiles);
  expect(problems.at(-1)?.at).toBe(1499);
  expect(problems.length).toBeLessThan(1000);
  expect(problems.every((problem, index) => problem.at === (problems[0]?.at ?? 0) + index)).toBe(true);
});

test("any single changed byte of a record line is noticed", () => {
  const line = encodeRecordLine({ path: "a", list: [1, 2], text: 'quote " and \n' });
  for (let at = 0; at < line.length - 1; at += 1) {
    const changed = Buffer.from(line);
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(parseRecordLine(changed)).toBeUndefined();
  }
  expect(parseRecordLine(line)).toEqual({ path: "a", list: [1, 2], text: 'quote " and \n' });
});
