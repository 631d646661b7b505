// Covers src/checkpoints/remote/**, src/git/remote/**, src/cli/fetch/**, src/cli/push/**.
import { execFile, spawnSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, describe, expect, test } from "vitest";
import type { CheckpointId } from "../../src/checkpoints/record/ids.ts";
import { findOrFetchCheckpoint } from "../../src/checkpoints/remote/fetch/fetch-checkpoints.ts";
import { findUnpushed } from "../../src/checkpoints/remote/push/find-unpushed.ts";
import { pushCheckpoints } from "../../src/checkpoints/remote/push/push-checkpoints.ts";
import { gatherSessions } from "../../src/checkpoints/resume/gather-sessions.ts";
import { resolveRemote } from "../../src/git/remote/remote.ts";
import { conversation, idOf, smallCheckpoint, writeOptions } from "../support/small-checkpoints.ts";
import { type Clone, makeSyncedClones, type SyncedClones } from "../support/synced-clones.ts";
import { keyframeProgram, noteText } from "../support/test-repository.ts";

let clones: SyncedClones;
afterEach(() => clones.close());

type Kind = "v1" | "v2" | "refs";

async function push(clone: Clone) {
  const remote = await resolveRemote(clone.git);
  return pushCheckpoints(clone.context, remote, await findUnpushed(clone.context, remote));
}

function store(clone: Clone, kind: Kind, id: CheckpointId, ...sessionIds: readonly string[]) {
  const sessions = sessionIds.map((sessionId) => ({ sessionId, transcript: [conversation(1500)] }));
  return clone.stores[kind].write([smallCheckpoint(id, ...sessions)], writeOptions);
}

/** Session ids of a checkpoint as a fresh clone finds them, with whole transcripts. */
async function seenBy(clone: Clone, id: CheckpointId): Promise<string[]> {
  const { sessions } = await gatherSessions(clone.context, await resolveRemote(clone.git), [id]);
  return sessions.map(({ metadata }) => metadata.sessionId ?? "").sort();
}

test.each(["v1", "v2", "refs"] as const)("two clones that push %s in turn lose nothing", async (kind) => {
  clones = await makeSyncedClones({ over: "folder" });
  const [a, b] = [clones.clone("a"), clones.clone("b")];
  await store(a, kind, idOf(1), "s-1");
  await store(b, kind, idOf(2), "s-2");
  // the same checkpoint from both sides, each with a session of its own in directory 0
  await store(a, kind, idOf(9), "from-a");
  await store(b, kind, idOf(9), "from-b");
  expect(await push(a)).toMatchObject({ joined: [], problems: [] });
  expect(await push(b)).toMatchObject({
    joined: [expect.anything(), ...(kind === "v2" ? [expect.anything()] : [])],
    problems: [],
  });
  await store(a, kind, idOf(3), "s-3");
  await store(a, kind, idOf(9), "from-a", "later-a");
  expect((await push(a)).problems).toEqual([]);
  await store(b, kind, idOf(4), "s-4");
  expect((await push(b)).problems).toEqual([]);
  expect(await push(b)).toEqual({ pushed: [], joined: [], problems: [] });
  const c = clones.clone("c");
  for (const number of [1, 2, 3, 4]) expect(await seenBy(c, idOf(number))).toEqual([`s-${number}`]);
  expect(await seenBy(c, idOf(9))).toEqual(["from-a", "from-b", "later-a"]);
  const places = await findOrFetchCheckpoint(c.context, undefined, idOf(9));
  expect(places?.map(({ store: found }) => found)).toEqual([kind]);
  expect(clones.remote("fsck", "--full", "--no-dangling")).toBe("");
});

test("an archived generation of v2 goes to the remote with the one that begins anew", async () => {
  clones = await makeSyncedClones({ over: "folder" });
  const a = clones.clone("a");
  const many = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, index) =>
      smallCheckpoint(idOf(from + index), { sessionId: `s-${from + index}`, transcript: ["{}\n"] }),
    );
  await a.stores.v2.write(many(0, 60), writeOptions);
  expect((await push(a)).problems).toEqual([]);
  await a.stores.v2.write(many(60, 110), writeOptions);
  expect(await push(a)).toMatchObject({ joined: [], problems: [] });
  const refs = (text: string) => text.split("\n").filter((line) => line.includes("/v2/"));
  expect(refs(clones.remote("show-ref"))).toEqual(refs(a.sh("show-ref")));
  expect(refs(a.sh("show-ref")).some((line) => line.endsWith("/full/0000000000001"))).toBe(true);
  expect(await seenBy(clones.clone("b"), idOf(3))).toEqual(["s-3"]);
});

test("archives that only the remote has stay as they are, and what was written here meanwhile comes beside", async () => {
  clones = await makeSyncedClones({ over: "folder" });
  const [a, b] = [clones.clone("a"), clones.clone("b")];
  const many = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, index) =>
      smallCheckpoint(idOf(from + index), { sessionId: `s-${from + index}`, transcript: ["{}\n"] }),
    );
  await a.stores.v2.write(many(0, 110), writeOptions);
  expect((await push(a)).problems).toEqual([]);
  const archive = clones.remote("rev-parse", "refs/entire/checkpoints/v2/full/0000000000001");
  await b.stores.v2.write(many(200, 230), writeOptions);
  expect((await push(b)).problems).toEqual([]);
  const c = clones.clone("c");
  for (const number of [3, 109, 200, 229]) expect(await seenBy(c, idOf(number))).toEqual([`s-${number}`]);
  expect(clones.remote("rev-parse", "refs/entire/checkpoints/v2/full/0000000000001")).toBe(archive);
  expect(await push(b)).toEqual({ pushed: [], joined: [], problems: [] });
});

test("one ref that the remote refuses keeps no other from it, and the user's push goes through", async () => {
  clones = await makeSyncedClones({ over: "folder" });
  const a = clones.clone("a");
  for (let number = 0; number < 20; number += 1) await store(a, "refs", idOf(number), `s-${number}`);
  writeFileSync(
    join(clones.remoteFolder, "hooks/update"),
    `#!/bin/sh\ncase "$1" in */${idOf(7)}) exit 1 ;; esac\n`,
    { mode: 0o755 },
  );
  const { pushed, problems } = await push(a);
  expect(pushed).toHaveLength(19);
  expect(problems).toEqual([expect.stringContaining(idOf(7))]);
  expect(a.keyframe("enable").code).toBe(0);
  a.commit("more");
  a.sh("push", "-q", "origin", "HEAD");
  rmSync(join(clones.remoteFolder, "hooks/update"));
  expect((await push(a)).pushed).toHaveLength(1);
});

describe("several processes", () => {
  test("that push at once lose no checkpoint, no session and no line of a note", async () => {
    clones = await makeSyncedClones();
    const all = ["a", "b", "c"].map((name) => clones.clone(name));
    const commit = all[0]?.sh("rev-parse", "HEAD") ?? "";
    for (const [index, clone] of all.entries()) {
      await store(clone, "v1", idOf(index), `own-${index}`);
      await store(clone, "v1", idOf(50), `shared-${index}`);
      clone.sh(
        "notes",
        "--ref=ai",
        "add",
        "-m",
        noteText({ [`f${index}`]: ["s_1 1-3"], both: [`s_1 ${index * 10 + 1}-${index * 10 + 2}`] }),
        commit,
      );
    }
    const run = promisify(execFile);
    await Promise.all(
      all.map(({ folder, env }) => run(process.execPath, [keyframeProgram, "push"], { cwd: folder, env })),
    );
    const d = clones.clone("d");
    for (const index of all.keys()) expect(await seenBy(d, idOf(index))).toEqual([`own-${index}`]);
    expect(await seenBy(d, idOf(50))).toEqual(["shared-0", "shared-1", "shared-2"]);
    expect(d.keyframe("fetch").code).toBe(0);
    const note = d.sh("notes", "--ref=ai", "show", commit);
    expect(note).toMatch(/^"?both"?\n {2}s_1 1-2,11-12,21-22$/m);
    for (const index of all.keys()) expect(note).toMatch(new RegExp(`^f${index}\\n {2}s_1 1-3$`, "m"));
    expect(clones.remote("fsck", "--full", "--no-dangling")).toBe("");
  });
});

describe("the pre-push hook", () => {
  test("pushes with the user's push, asks nothing of the network when nothing is new, and never fails it", async () => {
    clones = await makeSyncedClones();
    const a = clones.clone("a");
    expect(a.keyframe("enable").code).toBe(0);
    await store(a, "v1", idOf(1), "s-1");
    a.commit("work");
    a.sh("push", "-q", "origin", "main");
    expect(clones.remote("rev-parse", "entire/checkpoints/v1")).toBe(
      a.sh("rev-parse", "entire/checkpoints/v1"),
    );
    await clones.server?.takeTraffic();
    expect(a.keyframe("hook", "git", "pre-push", "origin", clones.url)).toMatchObject({
      code: 0,
      stdout: "",
      stderr: "",
    });
    expect(await clones.server?.takeTraffic()).toEqual({ sent: 0, requests: 0 });
    await store(a, "v1", idOf(2), "s-2");
    const elsewhere = join(clones.root, "fork.git");
    a.sh("init", "-q", "--bare", elsewhere);
    a.sh("push", "-q", elsewhere, "main");
    expect(a.sh("ls-remote", elsewhere)).not.toContain("entire");
    clones.remote("config", "receive.denyDeletes", "true");
    clones.remote("config", "transfer.hideRefs", "refs/heads/entire");
    a.commit("more work");
    a.sh("push", "-q", "origin", "main");
    expect(clones.remote("rev-parse", "main")).toBe(a.sh("rev-parse", "main"));
    expect(a.keyframe("status").stdout).toContain("pre-push");
  });

  test("leaves an empty remote alone, whose first branch would become the default one", async () => {
    clones = await makeSyncedClones({ over: "folder" });
    const a = clones.clone("a");
    const empty = join(clones.root, "empty.git");
    a.sh("init", "-q", "--bare", empty);
    a.sh("remote", "set-url", "origin", empty);
    await store(a, "v1", idOf(1), "s-1");
    const hook = a.keyframe("hook", "git", "pre-push", "origin", empty);
    expect([hook.code, hook.stderr]).toEqual([0, expect.stringContaining("origin is empty")]);
    expect(a.sh("ls-remote", empty)).toBe("");
    a.sh("push", "-q", "origin", "main");
    expect(a.keyframe("hook", "git", "pre-push", "origin", empty).code).toBe(0);
    expect(a.sh("ls-remote", empty)).toContain("refs/heads/entire/checkpoints/v1");
  });
});

test("a push that mirrors everything is told that it takes private refs along, and how not to", async () => {
  clones = await makeSyncedClones({ over: "folder" });
  const a = clones.clone("a");
  expect(a.keyframe("enable").code).toBe(0);
  a.sh("update-ref", "refs/keyframe/turns/s_1", "HEAD");
  a.sh("update-ref", "refs/keyframe/safety/main", "HEAD");
  const push = (...args: string[]) =>
    spawnSync("git", ["push", "-q", ...args], { cwd: a.folder, env: a.env, encoding: "utf8" });
  const mirrored = push("--mirror", "origin");
  expect([mirrored.status, mirrored.stderr]).toEqual([0, expect.stringContaining("2 private refs")]);
  expect(clones.remote("for-each-ref", "refs/keyframe")).not.toBe("");
  const advised = /git push (--prune origin .*)$/m.exec(mirrored.stderr)?.[1]?.replaceAll("'", "").split(" ");
  a.sh(
    "push",
    "-q",
    "--no-verify",
    "origin",
    "--delete",
    "refs/keyframe/turns/s_1",
    "refs/keyframe/safety/main",
  );
  a.sh("tag", "v1.0");
  expect(push(...(advised ?? []))).toMatchObject({ status: 0, stderr: "" });
  expect(clones.remote("for-each-ref", "refs/keyframe")).toBe("");
  expect(clones.remote("for-each-ref", "refs/tags")).not.toBe("");
  expect(push("origin", "--delete", "v1.0")).toMatchObject({ status: 0, stderr: "" });
});

test("a local branch follows what an ordinary fetch brought after its work was joined", async () => {
  clones = await makeSyncedClones({ over: "folder" });
  const [a, b] = [clones.clone("a"), clones.clone("b")];
  await store(a, "v1", idOf(1), "s-1");
  await store(b, "v1", idOf(2), "s-2");
  await push(a);
  await push(b);
  const config = readFileSync(join(b.folder, ".git/config"), "utf8");
  b.sh("fetch", "-q", "origin", "+refs/heads/entire/*:refs/remotes/origin/entire/*");
  expect(b.keyframe("fetch").code).toBe(0);
  expect(b.sh("rev-parse", "entire/checkpoints/v1")).toBe(
    clones.remote("rev-parse", "entire/checkpoints/v1"),
  );
  expect(b.keyframe("push").stdout).toBe("Nothing to push.\n");
  expect(readFileSync(join(b.folder, ".git/config"), "utf8")).toBe(config);
});
