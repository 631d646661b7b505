// Covers src/checkpoints/clean/**.
import { existsSync, mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { applyClean } from "../../src/checkpoints/clean/apply-clean.ts";
import { planClean } from "../../src/checkpoints/clean/plan-clean.ts";
import { type CleanFacts, readCleanFacts } from "../../src/checkpoints/clean/read-facts.ts";
import type { SessionLeftovers } from "../../src/checkpoints/clean/session-leftovers.ts";
import { defaultCleanAgeMs, maxFetchedPacks } from "../../src/checkpoints/record/limits.ts";
import { commitMessage } from "../../src/checkpoints/stores/commit-message.ts";
import type { Oid } from "../../src/git/ids.ts";
import { nodeMachine } from "../../src/system/machine/machine.ts";
import { type CheckpointRepository, makeCheckpointRepository } from "../support/checkpoint-repository.ts";
import { generatedCheckpoint } from "../support/generate-checkpoints.ts";

let repository: CheckpointRepository;
beforeEach(() => {
  repository = makeCheckpointRepository();
});
afterEach(() => repository.remove());

const nowMs = Date.UTC(2026, 5, 1);
const request = { commonDir: "/r/.git", nowMs, olderThanMs: defaultCleanAgeMs, all: false };
const daysAgo = (days: number) => nowMs - days * 24 * 60 * 60 * 1000;
const oid = "1".repeat(40) as Oid;
const nothing: CleanFacts = {
  refs: [],
  sessions: [],
  rewinds: [],
  searchFolders: [],
  crashReports: [],
  temporaryFiles: [],
  staleQuarantines: [],
  hasTransfers: false,
  fetchedPacks: [],
  keptOwners: [],
};
const session = (id: string, more: Partial<SessionLeftovers> = {}): SessionLeftovers => ({
  id,
  lastMs: daysAgo(31),
  neededFor: undefined,
  statePath: `/r/.git/entire-sessions/${id}.json`,
  captures: [{ path: `/r/.git/keyframe/capture/${id}`, seenMs: 5 }],
  turns: [{ ref: `refs/keyframe/turns/${id}`, oid }],
  ...more,
});

test("a session goes as a whole, its state last, only when it is old and nothing needs it", () => {
  const sessions = [
    session("old"),
    session("young", { lastMs: daysAgo(29) }),
    session("needed", { neededFor: "work of it waits for a commit" }),
    session("young and needed", { lastMs: daysAgo(1), neededFor: "it is at work" }),
    session("stateless", { statePath: undefined, turns: [] }),
  ];
  const plan = planClean({ ...nothing, sessions }, request);
  expect(plan.items.map((item) => [item.kind, "sessionId" in item && item.sessionId])).toEqual([
    ["turn snapshots", "old"],
    ["transcript copy", "old"],
    ["session state", "old"],
    ["transcript copy", "stateless"],
  ]);
  expect(plan.kept).toEqual([{ sessionId: "needed", why: "work of it waits for a commit" }]);
});

test("a rewind goes when it is done and old; one that was cut off stays, with its snapshots", () => {
  const of = { workTree: undefined, gitDir: "/r/.git", commonDir: "/r/.git" };
  const rewind = (record: CleanFacts["rewinds"][number]["record"]) => ({
    of,
    safetyRef: "refs/keyframe/safety/main",
    recordPath: "/r/.git/keyframe/rewind/last.json",
    record,
    strayBackups: [
      { path: "/r/old.jsonl", atMs: daysAgo(40) },
      { path: "/r/young.jsonl", atMs: daysAgo(4) },
    ],
  });
  const refs = ["main", "worktree-gone"].map((name) => ({
    ref: `refs/keyframe/safety/${name}`,
    oid,
    atMs: daysAgo(40),
    sessionId: undefined,
  }));
  const kinds = (record: CleanFacts["rewinds"][number]["record"]) =>
    planClean({ ...nothing, refs, rewinds: [rewind(record)] }, request).items.map((item) => [
      item.kind,
      "ref" in item ? item.ref.split("/").at(-1) : "path" in item && item.path.split("/").at(-1),
    ]);
  const always = [
    ["rewind snapshots", "worktree-gone"],
    ["rewind backup", "old.jsonl"],
  ];
  expect(kinds({ seenMs: daysAgo(40), isDone: false })).toEqual(always);
  expect(kinds({ seenMs: daysAgo(4), isDone: true })).toEqual(always);
  expect(kinds({ seenMs: daysAgo(40), isDone: true })).toEqual([
    always[0],
    ["last rewind", "last.json"],
    always[1],
  ]);
  expect(kinds(undefined)).toEqual([["rewind snapshots", "main"], ...always]);
});

test("packs are joined when there are many; half a pack goes only while no transfer may be bringing it", () => {
  const packs = (count: number) =>
    Array.from({ length: count }, (_, index) => ({ name: `pack-${index}`, sizeBytes: 10, isWhole: true }));
  const broken = { name: "pack-x", sizeBytes: 1, isWhole: false };
  const kinds = (facts: Partial<CleanFacts>) =>
    planClean({ ...nothing, ...facts }, request).items.map(({ kind }) => kind);
  expect(kinds({ fetchedPacks: packs(maxFetchedPacks) })).toEqual([]);
  expect(kinds({ fetchedPacks: packs(maxFetchedPacks + 1) })).toEqual(["fetched packs"]);
  expect(kinds({ fetchedPacks: [broken] })).toEqual(["pack remains"]);
  expect(kinds({ fetchedPacks: [broken], hasTransfers: true })).toEqual([]);
});

test("owners that no moment and no race names go when they are old, and only if they are what was planned", async () => {
  const { git, sh, folder } = repository;
  const name = (digit: string) => digit.repeat(32);
  const path = (digit: string) => join(folder, ".git/keyframe/owners", `${name(digit)}.json`);
  mkdirSync(join(folder, ".git/keyframe/owners"), { recursive: true });
  mkdirSync(join(folder, ".git/keyframe/races/r"), { recursive: true });
  const monthAgo = Date.now() / 1000 - 40 * 24 * 3600;
  for (const digit of ["a", "b", "c", "d", "e"]) {
    writeFileSync(path(digit), "{}\n");
    if (digit !== "d") utimesSync(path(digit), monthAgo, monthAgo);
  }
  const tree = sh("mktree", "--missing");
  const facts = JSON.stringify({ version: 1, owners: name("a") });
  sh("update-ref", "refs/keyframe/turns/s_1", sh("commit-tree", tree, "-m", `snapshot\n\n${facts}`));
  writeFileSync(
    join(folder, ".git/keyframe/races/r/race.json"),
    JSON.stringify({ base: { owners: name("b") } }),
  );
  const options = { ...request, commonDir: join(folder, ".git"), nowMs: Date.now() };
  const { items } = planClean(await readCleanFacts(git, nodeMachine), options);
  const planned = items.filter((item) => item.kind === "unused owners");
  expect(planned.flatMap((item) => item.owners.map((each) => each.path))).toEqual([path("c"), path("e")]);
  writeFileSync(path("e"), "{}\n"); // kept anew meanwhile
  const { removed, left } = await applyClean(git, nodeMachine, planned, options);
  expect([removed.length, left.length]).toEqual([0, 1]);
  expect(["a", "b", "c", "d", "e"].filter((digit) => existsSync(path(digit)))).toEqual(["a", "b", "d", "e"]);
});

test("cleaning takes what only uses room, and never a checkpoint or a user's branch", async () => {
  const { git, stores, sh, folder } = repository;
  await stores.v1.write([generatedCheckpoint(1)], {
    message: commitMessage("v1", "checkpoint"),
    nowSeconds: 1,
  });
  const commit = (id: string) =>
    sh("commit-tree", "-m", `x\n\nEntire-Session: ${id}`, sh("mktree", "--missing"));
  sh("update-ref", "refs/heads/entire/0123456-e3b0c4", commit("gone"));
  sh("update-ref", "refs/heads/entire/abcdef0-e3b0c4", commit("live"));
  sh("update-ref", "refs/heads/entire/feature", commit("gone"));
  sh("update-ref", "refs/entire-fetch-tmp/x", commit("gone"));
  mkdirSync(join(folder, ".git/entire-sessions"));
  // even one that cannot be read: whose it is, is not known
  writeFileSync(join(folder, ".git/entire-sessions/live.json"), "{}");
  writeFileSync(join(folder, ".git/fast_import_crash_12"), "");
  mkdirSync(join(folder, ".git/keyframe/search-v2"), { recursive: true });
  mkdirSync(join(folder, ".git/keyframe/search-v0"), { recursive: true });
  writeFileSync(join(folder, `.git/keyframe/search-v2/x.${process.pid}.1.tmp`), "being written");
  writeFileSync(join(folder, ".git/keyframe/search-v2/x.999999999.1.tmp"), "left behind");
  const commonDir = join(folder, ".git");
  const options = { ...request, commonDir, nowMs: Date.now() };
  const { items } = planClean(await readCleanFacts(git, nodeMachine), options);
  expect(
    items.map((item) => ("path" in item ? item.path.slice(commonDir.length) : "ref" in item && item.ref)),
  ).toEqual([
    "refs/entire-fetch-tmp/x",
    "refs/heads/entire/0123456-e3b0c4",
    "/keyframe/search-v0",
    "/fast_import_crash_12",
    "/keyframe/search-v2/x.999999999.1.tmp",
  ]);
  sh("update-ref", "refs/entire-fetch-tmp/x", commit("moved on"));
  const { removed, left, failed } = await applyClean(git, nodeMachine, items, options);
  expect([removed.length, left.map(({ kind }) => kind), failed]).toEqual([4, ["temporary ref"], []]);
  expect(
    repository
      .refs()
      .split("\n")
      .map((line) => line.split(" ")[0]),
  ).toEqual([
    "refs/entire-fetch-tmp/x",
    "refs/heads/entire/abcdef0-e3b0c4",
    "refs/heads/entire/checkpoints/v1",
    "refs/heads/entire/feature",
  ]);
  expect(existsSync(join(commonDir, "keyframe/search-v2"))).toBe(true);
});

test("one item that fails does not stop the others", async () => {
  const { git, folder } = repository;
  const path = join(folder, ".git/fast_import_crash_1");
  writeFileSync(path, "");
  const { removed, failed } = await applyClean(
    git,
    nodeMachine,
    [
      { kind: "crash report", path: join(folder, ".git/objects") },
      { kind: "crash report", path },
    ],
    request,
  );
  expect(failed.map(({ item }) => "path" in item && item.path)).toEqual([join(folder, ".git/objects")]);
  expect([removed.length, existsSync(path)]).toEqual([1, false]);
});
