import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createHistory } from "../../../bench/support/history.ts";
import { statsJson } from "../../../src/authorship/stats/json.ts";
import { resolveStatsRange } from "../../../src/authorship/stats/range.ts";
import { computeStats } from "../../../src/authorship/stats/stats.ts";
import { keyframeVersion } from "../../../src/base/version.ts";
import { openGit } from "../../../src/git/git.ts";
import { openObjectReader } from "../../../src/git/objects/objects.ts";
import { mustFindRepository } from "../../../src/git/repository.ts";
import { nodeFiles } from "../../../src/system/files/files.ts";
import { nodeProcesses } from "../../../src/system/process/processes.ts";
import { nodeObserveDeps } from "../../support/authorship-repo.ts";

let folder: string;
let index: string;
let changes: string;
beforeEach(() => {
  folder = createHistory({ commits: 30, files: 3, linesPerFile: 40 });
  index = join(folder, ".git", "keyframe-index");
  changes = join(index, `changes-${keyframeVersion}`);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function count(range = "HEAD~25..HEAD") {
  const git = openGit(mustFindRepository(folder, nodeObserveDeps), nodeProcesses);
  const reader = openObjectReader(git);
  try {
    const stats = await computeStats(git, reader, {
      range: await resolveStatsRange(git, range),
      ignore: [],
      files: nodeFiles,
    });
    return statsJson(stats);
  } finally {
    await reader.close();
  }
}

function git(...args: string[]): string {
  const env = { ...process.env, GIT_AUTHOR_NAME: "A", GIT_AUTHOR_EMAIL: "a@x" };
  return execFileSync("git", ["-c", "user.name=A", "-c", "user.email=a@x", ...args], {
    cwd: folder,
    encoding: "utf8",
    env,
  }).trim();
}

function forgetTallies(): void {
  rmSync(join(index, "tallies"), { recursive: true, force: true });
}

async function withoutIndex() {
  rmSync(index, { recursive: true, force: true });
  return await count();
}

test("a range counts the same from commits, from the index and from what was counted", async () => {
  const first = await count();
  expect(existsSync(changes)).toBe(true);
  expect(await count()).toEqual(first);
  forgetTallies();
  expect(await count()).toEqual(first);
  expect(readFileSync(changes, "utf8").trimEnd().split("\n")).toHaveLength(25);
});

test("a longer range takes from the index what it has and adds the rest", async () => {
  await count("HEAD~22..HEAD");
  const longer = await count();
  expect(readFileSync(changes, "utf8").trimEnd().split("\n")).toHaveLength(25);
  expect(await withoutIndex()).toEqual(longer);
});

test("a note that was written anew is read anew, and its old numbers are not shown", async () => {
  const before = await count();
  git("notes", "--ref=ai", "remove", "HEAD");
  const after = await count();
  expect(after).not.toEqual(before);
  expect(await withoutIndex()).toEqual(after);
});

test("a replaced commit is counted as git shows it", async () => {
  const before = await count();
  const [tip, parent] = [git("rev-parse", "HEAD"), git("rev-parse", "HEAD~2")];
  git("replace", tip, git("commit-tree", "-p", "HEAD~1", "-m", "as before", `${parent}^{tree}`));
  const after = await count();
  expect(after).not.toEqual(before);
  expect(await withoutIndex()).toEqual(after);
});

test.each<readonly [string, () => void]>([
  ["a torn last line", () => writeFileSync(changes, readFileSync(changes).subarray(0, -200))],
  [
    "a byte of another value",
    () => writeFileSync(changes, readFileSync(changes, "latin1").replaceAll("[1,", "[2,")),
  ],
  ["a line of anything", () => appendFileSync(changes, "x y z\n\n00000000 a b {\n")],
  ["no index", () => rmSync(changes)],
])("%s counts as nothing read, and is made good", async (_, damage) => {
  const first = await count();
  forgetTallies();
  damage();
  expect(await count()).toEqual(first);
  forgetTallies();
  expect(await count()).toEqual(first);
  for (const name of readdirSync(join(index, "tallies")))
    writeFileSync(join(index, "tallies", name), "00000000 0.1.0 {}");
  expect(await count()).toEqual(first);
});

test("where nothing can be written the numbers are the same", async () => {
  const first = await count();
  rmSync(index, { recursive: true });
  writeFileSync(index, "in the way");
  expect(await count()).toEqual(first);
});

test("what others can write to is not believed", async () => {
  const first = await count();
  const [name = ""] = readdirSync(join(index, "tallies"));
  const path = join(index, "tallies", name);
  const text = readFileSync(path, "utf8")
    .slice(9)
    .replaceAll(/"agents":\d+/g, '"agents":9999');
  writeFileSync(path, `${crc32(text).toString(16).padStart(8, "0")} ${text}`);
  expect(await count()).not.toEqual(first);
  chmodSync(path, 0o666);
  expect(await count()).toEqual(first);
});

test("reading leaves nothing behind that says that something was recorded", async () => {
  await count();
  expect(existsSync(join(folder, ".git", "keyframe"))).toBe(false);
});
