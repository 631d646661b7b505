// Covers src/journal/**.
import { execFile, spawnSync } from "node:child_process";
import { appendFileSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { mustFindRepository } from "../../src/git/repository.ts";
import { readPathHeads } from "../../src/journal/heads/head-files.ts";
import { listEpochs, logPath } from "../../src/journal/layout.ts";
import { readEvents } from "../../src/journal/log/log.ts";
import { nodeFiles } from "../../src/system/files/files.ts";
import { nodeMachine } from "../../src/system/machine/machine.ts";
import { type AuthorshipRepo, agentB, makeAuthorshipRepo } from "../support/authorship-repo.ts";
import { bundleChildProgram, type ChildProgram } from "../support/child-program.ts";
import { faultPointsInSource } from "../support/fault-points.ts";

const recordingPoints = [
  "journal:after-append-before-head",
  "journal:after-content-before-append",
  "journal:after-head",
];
const settlingPoints = [
  "journal:after-carry-append-before-head",
  "notes:before-ref",
  "settle:after-carry",
  "settle:after-notes",
  "settle:before-notes",
  "settle:before-remove",
];

let program: ChildProgram;
let repo: AuthorshipRepo;
beforeAll(() => {
  program = bundleChildProgram("test/journal/crash-program.ts");
});
afterAll(() => program.remove());
beforeEach(() => {
  repo = makeAuthorshipRepo();
});
afterEach(() => repo.remove());

function runChild(args: readonly string[], fault?: string) {
  const env = { ...process.env, ...(fault === undefined ? {} : { KEYFRAME_FAULT: fault }) };
  return spawnSync(process.execPath, [program.path, repo.folder, ...args], { env, encoding: "utf8" });
}

const epochs = () => listEpochs(mustFindRepository(repo.folder, nodeMachine), nodeFiles);
const events = () => epochs().flatMap((epoch) => [...readEvents(nodeFiles, logPath(epoch))]);
const leftovers = () =>
  readdirSync(join(repo.folder, ".git/keyframe"), { recursive: true, encoding: "utf8" }).filter((name) =>
    /\.tmp$|(^|\/)lock|settle\.lock|takeover/.test(name),
  );

test("the crash tests know every fault point of the journal and of settling", () => {
  expect(faultPointsInSource("journal:", "notes:", "prune:", "settle:")).toEqual(
    [
      ...recordingPoints,
      ...settlingPoints,
      "journal:after-waiting-before-remove",
      "prune:before-rename",
    ].sort(),
  );
});

describe("a process killed while it records", () => {
  test.each(recordingPoints)("at %s loses at most what it had not recorded yet", async (point) => {
    repo.write("f", "base");
    await repo.commit();
    repo.agentEdit("f", () => repo.write("f", "base", "first"), agentB);
    repo.agentBegins("f");
    const toolUseId = [...readPathHeads(nodeFiles, epochs()[0] ?? fail())][0]?.begun[0]?.toolUseId ?? "";
    repo.write("f", "base", "first", "second");
    const killed = runChild(["report", "f", toolUseId], point);
    expect(killed.signal).toBe("SIGKILL");

    repo.agentEdit("f", () => repo.write("f", "base", "first", "second", "third"), agentB);
    repo.agentEdit("g", () => repo.write("g", "other"), agentB);
    await repo.commit();
    const wasRecorded = point !== "journal:after-content-before-append";
    // what was not recorded has not ended either: A may still write where B does not tell what its edit leaves
    expect(repo.blame("f")).toBe(wasRecorded ? "UBAB" : "UBUU");
    expect(repo.blame("g")).toBe("B");
    expect(leftovers()).toEqual([]);
  });

  test("between the event and the head of an epoch that knew the path only from before loses neither the carried owners nor the edit", async () => {
    repo.write("f", "base");
    repo.write("g", "base");
    await repo.commit();
    repo.agentEdit("f", () => repo.write("f", "base", "by B"), agentB);
    repo.agentEdit("g", () => repo.write("g", "base", "by B"), agentB);
    repo.git("add", "g");
    await repo.commitIndex();
    // no hook sees HEAD move again: what is pending of f is known to the epoch before only
    repo.write("h", "a human's");
    repo.git("add", "h");
    repo.git("commit", "-q", "-m", "unseen");
    repo.write("f", "base", "by B", "by A");
    // its recording carries f over and then adds the edit: two events without a head
    expect(runChild(["report", "f", "call-1"], "journal:after-append-before-head").signal).toBe("SIGKILL");
    repo.agentEdit("g", () => repo.write("g", "base", "by B", "by A"));
    await repo.commit();
    expect([repo.blame("f"), repo.blame("g")]).toEqual(["UBA", "UBA"]);
    const metadata = JSON.parse(repo.note().split("---\n")[1] ?? "") as { sessions: object };
    expect(Object.keys(metadata.sessions)).toHaveLength(2);
  });

  test("a full disk at the log is told, and the work recorded before stays", async () => {
    repo.agentEdit("f", () => repo.write("f", "first"), agentB);
    repo.agentBegins("f");
    const toolUseId = [...readPathHeads(nodeFiles, epochs()[0] ?? fail())][0]?.begun[0]?.toolUseId ?? "";
    repo.write("f", "first", "second");
    const failed = runChild(["report", "f", toolUseId], "journal:after-content-before-append=ENOSPC");
    expect(JSON.parse(failed.stdout).problems.join()).toMatch(/ENOSPC/);
    await repo.commit();
    expect(repo.blame("f")).toBe("BU");
  });
});

describe("a process killed while it settles", () => {
  test.each(settlingPoints)(
    "at %s leaves work that the next one settles with the same result",
    async (point) => {
      const prepare = async (target: AuthorshipRepo) => {
        target.write("f", "base");
        await target.commit();
        target.agentEdit("f", () => target.write("f", "base", "committed"));
        target.agentEdit("g", () => target.write("g", "pending"), agentB);
        target.git("add", "f");
        target.git("commit", "-qm", "partial");
      };
      await prepare(repo);
      expect(runChild(["settle"], point).signal).toBe("SIGKILL");
      await repo.settle();
      expect(leftovers()).toEqual([]);
      expect(repo.blame("f")).toBe("UA");
      expect(epochs()).toHaveLength(1);
      expect([...readPathHeads(nodeFiles, epochs()[0] ?? fail())].map((head) => head.path)).toEqual(["g"]);
      const claims = repo.note().split("---")[0];
      await repo.settle();
      expect(repo.note().split("---")[0]).toBe(claims);
      await repo.commit();
      expect(repo.blame("g")).toBe("B");
      expect(repo.git("rev-list", "--count", "refs/notes/ai")).toBe("2");
    },
  );
});

describe("several processes at once", () => {
  test("lose nothing: every edit of each has its event, its head and its owner", async () => {
    const names = ["p1", "p2", "p3", "p4"];
    const count = 25;
    await Promise.all(
      names.map((name) =>
        promisify(execFile)(process.execPath, [program.path, repo.folder, "edit-many", name, String(count)]),
      ),
    );
    const seen = events();
    expect(seen.filter((event) => "damaged" in event)).toEqual([]);
    const edits = seen.filter((event) => "kind" in event && event.kind === "edit");
    expect(edits).toHaveLength(names.length * count);
    await repo.commit();
    for (const name of names) expect(repo.blame(name)).toBe("A".repeat(count));
  });

  test("that settle together write each note once", async () => {
    repo.agentEdit("f", () => repo.write("f", "one"));
    repo.git("add", "f");
    repo.git("commit", "-qm", "one");
    const results = await Promise.all(
      [1, 2, 3].map(() => promisify(execFile)(process.execPath, [program.path, repo.folder, "settle"])),
    );
    expect(results.flatMap(({ stdout }) => JSON.parse(stdout).settled)).toHaveLength(1);
    expect(repo.git("rev-list", "--count", "refs/notes/ai")).toBe("1");
    expect(repo.blame("f")).toBe("A");
  });
});

describe("a damaged log", () => {
  test("with a torn last line loses that line only, says so, and goes on", () => {
    repo.agentEdit("f", () => repo.write("f", "one"));
    repo.agentEdit("g", () => repo.write("g", "two"));
    const path = logPath(epochs()[0] ?? fail());
    const whole = events().length;
    truncateSync(path, readFileSync(path).length - 10);
    expect(events().at(-1)).toMatchObject({ damaged: "torn" });
    repo.agentEdit("h", () => repo.write("h", "three"));
    const damaged = events().filter((event) => "damaged" in event);
    expect(damaged).toEqual([expect.objectContaining({ damaged: "unreadable" })]);
    expect(events()).toHaveLength(whole + 2);
  });

  test("with a damaged line in the middle keeps everything else", () => {
    for (const name of ["f", "g", "h"]) repo.agentEdit(name, () => repo.write(name, name));
    const path = logPath(epochs()[0] ?? fail());
    const lines = readFileSync(path, "utf8").split("\n");
    lines[2] = (lines[2] ?? "").replace('"path":"g"', '"path":"G"');
    lines.splice(4, 0, "not json at all", "{}");
    writeFileSync(path, lines.join("\n"));
    const kinds = events().map((event) => ("damaged" in event ? event.damaged : event.path));
    expect(kinds).toEqual(["f", "f", "unreadable", "g", "unreadable", "unreadable", "h", "h"]);
  });

  test("is read line by line, and one line over the limit is set aside", () => {
    repo.agentEdit("f", () => repo.write("f", "one"));
    const path = logPath(epochs()[0] ?? fail());
    appendFileSync(path, `${"x".repeat(17 * 1024 * 1024)}\n`);
    repo.agentEdit("g", () => repo.write("g", "two"));
    const kinds = events().map((event) => ("damaged" in event ? event.damaged : event.path));
    expect(kinds).toEqual(["f", "f", "too-long", "g", "g"]);
  });
});

test("a prune killed before it replaces the log leaves the log whole, and the next run removes what it left", async () => {
  repo.agentEdit("f", () => repo.write("f", "one"));
  const before = readFileSync(logPath(epochs()[0] ?? fail()));
  expect(runChild(["prune"], "prune:before-rename").signal).toBe("SIGKILL");
  expect(readFileSync(logPath(epochs()[0] ?? fail()))).toEqual(before);
  expect(leftovers()).not.toEqual([]);
  repo.agentEdit("g", () => repo.write("g", "two"));
  expect(leftovers()).toEqual([]);
  await repo.commit();
  expect([repo.blame("f"), repo.blame("g")]).toEqual(["A", "A"]);
});

test("only the newest states of a path keep their content, and a settled path keeps none", async () => {
  for (let index = 0; index < 40; index += 1) repo.agentEdit("f", () => repo.write("f", `version ${index}`));
  const contents = () =>
    readdirSync(join(repo.folder, ".git/keyframe/journal"), { recursive: true, encoding: "utf8" }).filter(
      (name) => /\/[0-9a-f]{64}$/.test(name),
    );
  expect(contents().length).toBe(17);
  await repo.commit();
  expect(contents()).toEqual([]);
  expect(repo.blame("f")).toBe("A");
});

test("a commit without anything recorded starts no epoch and writes no note", async () => {
  repo.write("f", "mine");
  await repo.commit();
  expect(epochs()).toEqual([]);
  expect(repo.note()).toBe("");
});

function fail(): never {
  throw new Error("there is no epoch");
}
