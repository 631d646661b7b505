import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { faultPointsInSource } from "../support/fault-points.ts";
import { conversation, idOf, smallCheckpoint, writeOptions } from "../support/small-checkpoints.ts";
import {
  type Clone,
  makeSyncedClones,
  type RemoteOptions,
  type SyncedClones,
} from "../support/synced-clones.ts";
import { keyframeProgram } from "../support/test-repository.ts";

let clones: SyncedClones | undefined;
afterEach(async () => {
  await clones?.close();
  clones = undefined;
});

const branch = "refs/heads/entire/checkpoints/v1";

/** Each operation of git that walks from refs or over all objects, and how it ends. */
function mustWalkEverywhere(clone: Clone): void {
  const elsewhere = join(clone.home, `walk-${readdirSync(clone.home).length}`);
  mkdirSync(elsewhere);
  const fsck = () => clone.sh("fsck", "--full", "--no-dangling");
  expect(fsck()).toBe("");
  clone.sh("bundle", "create", "-q", join(elsewhere, "all.bundle"), "--all");
  clone.sh("clone", "-q", "--mirror", "--no-local", clone.folder, join(elsewhere, "copy"));
  clone.sh("repack", "-q", "-a", "-d");
  clone.sh("-c", "gc.auto=1", "gc", "-q", "--auto");
  clone.sh("gc", "-q", "--prune=now");
  clone.sh("rev-list", "--objects", "--all");
  expect(fsck()).toBe("");
}

/** Transcripts by the number of their checkpoint. */
const transcripts = Array.from({ length: 8 }, () => conversation(1500));

/** Transcripts that no search has to read any more. */
function indexedTranscripts({ folder }: Clone): number {
  const directory = join(folder, ".git/keyframe/search-v2");
  const segments = readdirSync(directory).map((name) => readFileSync(join(directory, name), "utf8"));
  return segments.flatMap((text) => text.slice(0, text.indexOf("\n")).match(/"transcript:/g) ?? []).length;
}

async function work(clone: Clone, number: number): Promise<void> {
  const id = idOf(number);
  await clone.stores.v1.write(
    [smallCheckpoint(id, { sessionId: `s-${number}`, transcript: [transcripts[number] ?? ""] })],
    writeOptions,
  );
  clone.commit(`Work ${number}\n\nEntire-Checkpoint: ${id}`);
}

const remotes: readonly (readonly [string, RemoteOptions])[] = [
  ["that can filter", { filter: true }],
  ["that cannot filter", { filter: false }],
  ["with SHA-256", { format: "sha256" }],
];

describe.each(remotes)("a remote %s", (_, options) => {
  test("takes every checkpoint of two clones that work and push in turn, and git walks both", async () => {
    clones = await makeSyncedClones({ over: "folder", ...options });
    const both = [clones.clone("a"), clones.clone("b")];
    for (let number = 0; number < 8; number += 1) {
      const clone = both[number % 2];
      if (clone === undefined) continue;
      await work(clone, number);
      expect(clone.keyframe("push").code).toBe(0);
      clone.sh("push", "-q", "-f", "origin", `HEAD:refs/heads/work-${number}`);
    }
    const ids = Array.from({ length: 8 }, (__, number) => idOf(number));
    const tree = clones.remote("ls-tree", "-r", "--name-only", branch);
    for (const id of ids) expect(tree).toContain(`${id.slice(0, 2)}/${id.slice(2)}/metadata.json`);
    expect(clones.remote("fsck", "--full", "--no-dangling")).toBe("");
    for (const clone of both) {
      for (const round of [1, 2]) expect([round, clone.keyframe("fetch").code]).toEqual([round, 0]);
      for (const id of ids) expect(clone.keyframe("explain", id, "--short").code).toBe(0);
      expect(clone.keyframe("fetch", "--checkpoint", idOf(3), "--checkpoint", idOf(4)).code).toBe(0);
      expect(indexedTranscripts(clone)).toBeGreaterThan(0);
      for (const number of [3, 4]) {
        expect(clone.keyframe("explain", idOf(number), "--raw-transcript").stdout).toBe(transcripts[number]);
      }
      mustWalkEverywhere(clone);
      // an ordinary fetch of everything, and what is built on it
      clone.sh("fetch", "-q", "origin", "+refs/heads/*:refs/remotes/origin/*");
      expect(clone.keyframe("push").code).toBe(0);
      mustWalkEverywhere(clone);
    }
  });
});

test("a clone that only fetched explains, resumes and pushes what it makes itself", async () => {
  clones = await makeSyncedClones();
  const [a, b] = [clones.clone("a"), clones.clone("b")];
  await work(a, 1);
  a.sh("push", "-q", "origin", "HEAD:main");
  expect(a.keyframe("push").code).toBe(0);
  expect(b.keyframe("fetch").code).toBe(0);
  expect(b.keyframe("resume", idOf(1)).code).toBe(0);
  await work(b, 2);
  expect(b.keyframe("push").stdout).toContain("(joined with the work of others)");
  expect(b.keyframe("list").stdout).toContain(idOf(1));
  mustWalkEverywhere(b);
  expect(clones.remote("ls-tree", "-r", "--name-only", branch).match(/\/0\/metadata\.json/g)).toHaveLength(2);
});

test("a file that was fetched is written again when the repository itself needs it", async () => {
  clones = await makeSyncedClones({ over: "folder" });
  const [a, b] = [clones.clone("a"), clones.clone("b")];
  await work(a, 1);
  expect(a.keyframe("push").code).toBe(0);
  expect(b.keyframe("fetch", "--checkpoint", idOf(1)).code).toBe(0);
  // the same bytes from the other side: the same blobs, trees and all
  await work(b, 1);
  b.write("copy.jsonl", transcripts[1] ?? "");
  b.commit("the transcript as a file");
  rmSync(join(b.folder, ".git/keyframe/fetched"), { recursive: true });
  expect(b.sh("fsck", "--full", "--no-dangling")).toBe("");
  expect(b.keyframe("explain", idOf(1), "--raw-transcript").stdout).toBe(transcripts[1] ?? "");
});

test("a linked worktree reads what another fetched, and a path with a colon is one path", async () => {
  clones = await makeSyncedClones({ over: "folder" });
  const [a, b] = [clones.clone("a"), clones.clone('b:"c')];
  await work(a, 1);
  expect(a.keyframe("push").code).toBe(0);
  expect(b.keyframe("fetch", "--checkpoint", idOf(1)).code).toBe(0);
  expect(b.keyframe("explain", idOf(1), "--raw-transcript").stdout).toBe(transcripts[1] ?? "");
  const linked = join(b.home, "linked");
  b.sh("worktree", "add", "-q", "-b", "side", linked);
  const there = spawnSync(process.execPath, [keyframeProgram, "explain", idOf(1), "--raw-transcript"], {
    cwd: linked,
    env: b.env,
    encoding: "utf8",
  });
  expect(there.stdout).toBe(transcripts[1]);
  mustWalkEverywhere(b);
});

test("a partial clone of the user, which lacks files of its own branches, lists, pushes and reads", async () => {
  clones = await makeSyncedClones();
  const a = clones.clone("a");
  await work(a, 1);
  await work(a, 2);
  expect(a.keyframe("push").code).toBe(0);
  const b = clones.clone("b", "--no-single-branch", "--filter=blob:none");
  for (const round of [1, 2]) expect([round, b.keyframe("fetch").code]).toEqual([round, 0]);
  expect(b.keyframe("list").stdout).toContain(idOf(2));
  await work(b, 3);
  await work(a, 4);
  expect(a.keyframe("push").code).toBe(0);
  expect(b.keyframe("push").code).toBe(0);
  expect(b.keyframe("fetch", "--checkpoint", idOf(4)).code).toBe(0);
  expect(b.keyframe("explain", idOf(4), "--raw-transcript").stdout).toBe(transcripts[4]);
  expect(clones.remote("ls-tree", "-r", "--name-only", branch).match(/\/0\/metadata\.json/g)).toHaveLength(4);
  b.sh("fsck", "--full", "--no-dangling");
});

test("packs of many fetches become one by themselves", async () => {
  clones = await makeSyncedClones({ over: "folder" });
  const [a, b] = [clones.clone("a"), clones.clone("b")];
  await work(a, 1);
  expect(a.keyframe("push").code).toBe(0);
  expect(b.keyframe("fetch").code).toBe(0);
  const folder = join(b.folder, ".git/keyframe/fetched/objects/pack");
  const packs = () => readdirSync(folder).filter((name) => name.endsWith(".idx")).length;
  // each of one blob of its own
  for (let number = 0; packs() <= 32; number += 1) {
    const base = join(folder, "pack");
    const oid = execFileSync("git", ["hash-object", "-w", "--stdin"], {
      cwd: a.folder,
      env: a.env,
      input: `${number}`,
    });
    execFileSync("git", ["pack-objects", "-q", base], {
      cwd: a.folder,
      env: a.env,
      input: oid,
      stdio: "pipe",
    });
  }
  expect(b.keyframe("fetch").code).toBe(0);
  expect(packs()).toBe(1);
  expect(b.keyframe("explain", idOf(1), "--short").code).toBe(0);
});

describe("a repository in which an earlier version fetched", () => {
  const keepText = "keyframe: checkpoints of a remote\n";
  const packsOf = (clone: Clone) => join(clone.folder, ".git/objects/pack");
  const keptPacks = (clone: Clone) => readdirSync(packsOf(clone)).filter((name) => name.endsWith(".keep"));

  /** Packs of fetches among its own, a file of the user that is in one of them only, and a join without a ref. */
  async function poisoned(): Promise<{ readonly a: Clone; readonly b: Clone }> {
    clones = await makeSyncedClones({ over: "folder" });
    const [a, b] = [clones.clone("a"), clones.clone("b")];
    await work(a, 1);
    await work(a, 2);
    expect(a.keyframe("push").code).toBe(0);
    await work(b, 3);
    expect(b.keyframe("push").code).toBe(0);
    expect(b.keyframe("fetch", "--checkpoint", idOf(1)).code).toBe(0);
    const fetched = join(b.folder, ".git/keyframe/fetched/objects/pack");
    for (const name of readdirSync(fetched)) {
      if (!name.endsWith(".pack")) continue;
      const pack = readFileSync(join(fetched, name));
      if (pack.readUInt32BE(8) < 6) {
        execFileSync("git", ["unpack-objects", "-q"], { cwd: b.folder, env: b.env, input: pack });
        continue;
      }
      for (const suffix of ["pack", "idx"]) {
        const file = name.replace(/pack$/, suffix);
        cpSync(join(fetched, file), join(packsOf(b), file));
      }
      writeFileSync(join(packsOf(b), name.replace(/pack$/, "keep")), keepText);
    }
    rmSync(fetched, { recursive: true });
    b.write("transcript.jsonl", transcripts[1] ?? "");
    b.commit("the same bytes");
    return { a, b };
  }

  async function mustBeWell({ a, b }: { readonly a: Clone; readonly b: Clone }): Promise<void> {
    expect(keptPacks(b)).toEqual([]);
    expect(b.sh("cat-file", "blob", "HEAD:transcript.jsonl")).toBe((transcripts[1] ?? "").trim());
    expect(b.keyframe("list").stdout).toContain(idOf(2));
    await work(a, 4);
    expect(a.keyframe("push").code).toBe(0);
    await work(b, 5);
    expect(b.keyframe("push").code).toBe(0);
    mustWalkEverywhere(b);
  }

  test("is named by doctor and mended by it, and nothing of it is fetched again", async () => {
    const both = await poisoned();
    const found = both.b.keyframe("doctor");
    expect(found.stdout).toContain("lack what they name");
    both.b.sh("remote", "set-url", "origin", "/nowhere");
    expect(both.b.keyframe("doctor", "--repair").stdout).toContain("repaired");
    expect(both.b.keyframe("explain", idOf(1), "--raw-transcript").stdout).toBe(transcripts[1]);
    both.b.sh("remote", "set-url", "origin", clones?.url ?? "");
    await mustBeWell(both);
  });

  test("is mended by its next fetch or push", async () => {
    const both = await poisoned();
    expect(both.b.keyframe("fetch").code).toBe(0);
    await mustBeWell(both);
  });

  test("ends well wherever the mending is killed", async () => {
    const both = await poisoned();
    const untouched = join(both.b.home, "untouched");
    cpSync(join(both.b.folder, ".git"), untouched, { recursive: true });
    const points = ["heal:before-moving", "heal:while-moving", "heal:while-moving:3", "heal:while-moving:5"];
    expect([...new Set(points.map((point) => point.replace(/:\d$/, "")))]).toEqual(
      faultPointsInSource("heal:"),
    );
    for (const point of points) {
      both.b.env["KEYFRAME_FAULT"] = point;
      expect([point, both.b.keyframe("doctor", "--repair").code]).toEqual([point, -1]);
      delete both.b.env["KEYFRAME_FAULT"];
      expect(both.b.keyframe("fetch").code).toBe(0);
      expect(both.b.keyframe("doctor", "--repair").stderr).toBe("");
      expect(both.b.sh("fsck", "--full", "--no-dangling")).toBe("");
      expect(both.b.keyframe("list").stdout).toContain(idOf(2));
      rmSync(join(both.b.folder, ".git"), { recursive: true });
      cpSync(untouched, join(both.b.folder, ".git"), { recursive: true });
    }
  });
});
