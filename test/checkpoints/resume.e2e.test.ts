// Covers src/checkpoints/resume/**, src/cli/resume/**.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { CheckpointWrite } from "../../src/checkpoints/stores/store.ts";
import { conversation, idOf, smallCheckpoint, writeOptions } from "../support/small-checkpoints.ts";
import {
  type Clone,
  makeSyncedClones,
  type RemoteOptions,
  type SyncedClones,
} from "../support/synced-clones.ts";

let clones: SyncedClones;
afterEach(() => clones.close());

const sessionBytes = 40_000;
const count = 8;
const wanted = idOf(3);
const chunks = [conversation(sessionBytes).trimEnd(), conversation(2000)];

/** A clone that made a commit for one of several checkpoints, pushed all, and another that knows only the commit. */
async function pushedSession(options: RemoteOptions = {}): Promise<{ a: Clone; b: Clone; commit: string }> {
  clones = await makeSyncedClones(options);
  const a = clones.clone("a");
  const writes: CheckpointWrite[] = [];
  for (let number = 0; number < count; number += 1) {
    const transcript = idOf(number) === wanted ? chunks : [conversation(sessionBytes)];
    writes.push(smallCheckpoint(idOf(number), { sessionId: `session-${number}`, transcript }));
  }
  await a.stores.v1.write(writes, writeOptions);
  a.sh("checkout", "-q", "-b", "feature");
  const commit = a.commit(`Do it\n\nEntire-Checkpoint: ${wanted}`);
  a.sh("push", "-q", "origin", "feature");
  const pushed = a.keyframe("push");
  expect(pushed.stderr + pushed.code).toBe("0");
  const b = clones.clone("b");
  b.sh("fetch", "-q", "origin", "feature:feature");
  return { a, b, commit };
}

function claudePath(clone: Clone, session: string): string {
  return join(clone.home, ".claude/projects", clone.folder.replace(/[^A-Za-z0-9]/g, "-"), `${session}.jsonl`);
}

/** Takes an object out of the bare repository. */
function lose(oid: string): void {
  const packs = join(clones.remoteFolder, "objects/pack");
  for (const name of readdirSync(packs).filter((file) => file.endsWith(".pack"))) {
    const bytes = readFileSync(join(packs, name));
    for (const suffix of ["pack", "idx", "rev"])
      rmSync(join(packs, name.replace(/pack$/, suffix)), { force: true });
    execFileSync("git", ["unpack-objects", "-q"], { cwd: clones.remoteFolder, input: bytes });
  }
  rmSync(join(clones.remoteFolder, "objects", oid.slice(0, 2), oid.slice(2)));
}

function isUntouched(clone: Clone, config: string): void {
  expect(clone.config()).toBe(config);
  expect(existsSync(join(clone.folder, ".git/shallow"))).toBe(false);
  expect(
    readdirSync(join(clone.folder, ".git/objects/pack")).filter((name) => name.endsWith(".promisor")),
  ).toEqual([]);
  expect(readdirSync(join(clone.folder, ".git/keyframe/incoming"))).toEqual([]);
}

describe.each(["http", "daemon"] as const)("over %s", (over) => {
  test("resume gets the trees and one session, and leaves the repository as it was", async () => {
    const { b } = await pushedSession({ over });
    const config = b.config();
    await clones.server?.takeTraffic();
    const result = b.keyframe("resume", "feature");
    const traffic = await clones.server?.takeTraffic();
    expect(result.stderr).toMatch(/^Received /);
    expect(result.stdout).toBe(
      "Switched to branch feature\nSession: session-3 (new)\n\nTo continue, run:\n  claude -r session-3\n",
    );
    expect(readFileSync(claudePath(b, "session-3"), "utf8")).toBe(chunks.join("\n"));
    // one session of eight, with room for trees, protocol and progress
    expect(traffic?.sent).toBeLessThan(sessionBytes * 1.6);
    expect(traffic?.sent).toBeGreaterThan(sessionBytes * 0.7);
    isUntouched(b, config);
    // git's own clean-up neither fails on what is incomplete nor throws it away
    b.sh("gc", "-q", "--prune=now");
    expect(b.sh("fsck", "--full", "--no-dangling")).toBe("");
    const again = b.keyframe("resume", "feature");
    expect(again.stdout).toContain("Session: session-3 (same)");
    expect((await clones.server?.takeTraffic())?.requests).toBe(0);
  });
});

test.each([
  ["cannot leave files out", { filter: false }, "cannot send trees without files: fetching in full"],
  ["gives nothing by id", { byId: false }, "gives no objects by id: fetching in full"],
  ["can do neither", { filter: false, byId: false }, "fetching in full"],
] as const)("a remote that %s is fetched from in full, and that is said", async (_, options, said) => {
  const { b } = await pushedSession(options);
  const config = b.config();
  const result = b.keyframe("resume", "feature");
  expect(result.code).toBe(0);
  expect(result.stderr).toContain(said);
  expect(readFileSync(claudePath(b, "session-3"), "utf8")).toBe(chunks.join("\n"));
  isUntouched(b, config);
  expect(b.sh("fsck", "--full", "--no-dangling")).toBe("");
});

describe("a resume", () => {
  test("needs no network where everything is here", async () => {
    const { a, commit } = await pushedSession({ over: "folder" });
    a.sh("remote", "set-url", "origin", "http://127.0.0.1:1/nowhere.git");
    a.sh("checkout", "-q", "main");
    const result = a.keyframe("resume", commit, "--json");
    expect(JSON.parse(result.stdout)).toMatchObject({
      receivedBytes: 0,
      checkout: `commit ${commit.slice(0, 12)} (detached)`,
      sessions: [{ standing: "new", command: "claude -r session-3" }],
    });
    expect(a.sh("rev-parse", "HEAD")).toBe(commit);
  });

  test("stops at uncommitted changes and at untracked files in the way, and nothing has moved then", async () => {
    const { a } = await pushedSession({ over: "folder" });
    a.write("new.txt", "from feature\n");
    a.commit("more");
    a.sh("checkout", "-q", "main");
    a.write("readme.md", "mine\n");
    const dirty = a.keyframe("resume", "feature");
    expect([dirty.code, dirty.stderr]).toEqual([
      4,
      expect.stringContaining("you have uncommitted changes (1 files, such as readme.md)"),
    ]);
    a.sh("checkout", "-q", "--", "readme.md");
    a.write(".git/info/exclude", "new.txt\n");
    a.write("new.txt", "ignored, and mine\n");
    const blocked = a.keyframe("resume", "feature");
    expect([blocked.code, blocked.stderr]).toEqual([4, expect.stringContaining("new.txt")]);
    expect(a.sh("branch", "--show-current")).toBe("main");
    expect(readFileSync(join(a.folder, "new.txt"), "utf8")).toBe("ignored, and mine\n");
    expect(existsSync(claudePath(a, "session-3"))).toBe(false);
  });

  test("does not write over a conversation that went on here, unless forced, and then keeps it", async () => {
    const { a } = await pushedSession({ over: "folder" });
    const path = claudePath(a, "session-3");
    mkdirSync(dirname(path), { recursive: true });
    const newer = conversation(500, "2026-03-01T00:00:00.000Z");
    writeFileSync(path, newer);
    const refused = a.keyframe("resume", wanted);
    expect([refused.code, refused.stderr]).toEqual([
      4,
      expect.stringContaining("gone on here since the checkpoint: session-3"),
    ]);
    expect(readFileSync(path, "utf8")).toBe(newer);
    const forced = a.keyframe("resume", wanted, "--force");
    expect(forced.stdout).toContain("Session: session-3 (local newer)");
    expect(readFileSync(path, "utf8")).toBe(chunks.join("\n"));
    const kept = readdirSync(dirname(path)).filter((name) => name.endsWith(".before-resume"));
    expect(kept.map((name) => readFileSync(join(dirname(path), name), "utf8"))).toEqual([newer]);
  });

  test.each([
    [
      "goes on, without dates",
      (stored: string) => `${stored}\n{"type":"user","message":{"content":"more"}}\n`,
    ],
    ["goes on, at the same time", (stored: string) => `${stored}\n${conversation(500)}`],
    [
      "goes on and has the secrets that are not stored",
      (stored: string) => `${stored.replace("REDACTED", "AKIA-not-stored")}\n{"type":"user"}\n`,
    ],
  ])("does not write over a copy that %s", async (_, change) => {
    clones = await makeSyncedClones({ over: "folder" });
    const a = clones.clone("a");
    const stored = `{"type":"user","message":{"content":"key REDACTED"}}\n${conversation(3000).trimEnd()}`;
    await a.stores.v1.write(
      [smallCheckpoint(wanted, { sessionId: "grown", transcript: [stored] })],
      writeOptions,
    );
    const path = claudePath(a, "grown");
    mkdirSync(dirname(path), { recursive: true });
    const grown = change(stored);
    writeFileSync(path, grown);
    const refused = a.keyframe("resume", wanted);
    expect([refused.code, refused.stderr]).toEqual([4, expect.stringContaining("gone on here")]);
    expect(readFileSync(path, "utf8")).toBe(grown);
    writeFileSync(path, `${stored.split("\n").slice(0, 2).join("\n")}\n`);
    expect(a.keyframe("resume", wanted).stdout).toContain("Session: grown (checkpoint newer)");
    expect(readFileSync(path, "utf8")).toBe(stored);
    expect(a.keyframe("resume", wanted).stdout).toContain("Session: grown (same)");
  });

  test("takes the record that holds most of a session, whatever the dates say", async () => {
    clones = await makeSyncedClones({ over: "folder" });
    const a = clones.clone("a");
    const short = conversation(2000);
    const long = `${short}${conversation(2000)}`;
    const record = (number: number, transcript: string, createdAt: string) =>
      smallCheckpoint(idOf(number), { sessionId: "s", transcript: [transcript], createdAt });
    await a.stores.v1.write(
      [record(1, long, "2026-02-01T00:00:00Z"), record(2, short, "2026-02-09T00:00:00Z")],
      writeOptions,
    );
    a.commit(`Squash\n\nEntire-Checkpoint: ${idOf(1)}\nEntire-Checkpoint: ${idOf(2)}`);
    expect(a.keyframe("resume", "HEAD").code).toBe(0);
    expect(readFileSync(claudePath(a, "s"), "utf8").trimEnd()).toBe(long.trimEnd());
  });

  test("HEAD and what is counted from it are commits, also where a remote has a HEAD", async () => {
    const { a } = await pushedSession({ over: "folder" });
    a.sh("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/feature");
    const [first, , third] = [a.sh("rev-parse", "HEAD"), a.commit("two"), a.commit("three")];
    const resumed = a.keyframe("resume", "HEAD~2", "--json");
    expect(JSON.parse(resumed.stdout)).toMatchObject({
      commit: first,
      sessions: [{ session: "session-3", standing: "new" }],
    });
    expect(a.sh("rev-parse", "HEAD")).toBe(first);
    expect(a.keyframe("resume", "HEAD").stdout).toContain("Session: session-3");
    a.sh("checkout", "-q", third);
    const unlinked = a.keyframe("resume", "HEAD");
    expect([unlinked.code, unlinked.stderr]).toEqual([3, expect.not.stringContaining("origin/HEAD")]);
  });

  test("ends with an error where there is nothing to continue, and with 1 where some of it is not there", async () => {
    clones = await makeSyncedClones({ over: "folder" });
    const a = clones.clone("a");
    const placeless = { sessionId: "db", transcript: [conversation(10)], fields: { agent: "OpenCode" } };
    await a.stores.v1.write(
      [
        smallCheckpoint(idOf(1), placeless),
        smallCheckpoint(idOf(2), { sessionId: "none", transcript: [] }),
        smallCheckpoint(idOf(3), placeless, { sessionId: "fine", transcript: [conversation(10)] }),
      ],
      writeOptions,
    );
    const [unplaced, empty, some] = [1, 2, 3].map((number) => a.keyframe("resume", idOf(number)));
    expect([unplaced?.code, unplaced?.stderr]).toEqual([
      4,
      expect.stringContaining("no agent could be given"),
    ]);
    expect([empty?.code, empty?.stderr]).toEqual([3, expect.stringContaining("nothing to continue")]);
    expect([some?.code, some?.stdout]).toEqual([1, expect.stringContaining("claude -r fine")]);
  });

  test("of a squashed commit restores every session, the newest last; a dry run restores none", async () => {
    const { a } = await pushedSession({ over: "folder" });
    await a.stores.v1.write(
      [
        smallCheckpoint(idOf(90), {
          sessionId: "late",
          transcript: [conversation(10)],
          createdAt: "2026-02-05T00:00:00Z",
        }),
      ],
      writeOptions,
    );
    a.commit(`Squash\n\nEntire-Checkpoint: ${idOf(90)}\nEntire-Checkpoint: ${idOf(4)}`);
    const dry = a.keyframe("resume", "feature", "--dry-run");
    expect(dry.stdout).toMatch(/claude -r session-4\n {2}claude -r late {2}\(most recent\)\n$/);
    expect(existsSync(claudePath(a, "late"))).toBe(false);
    a.keyframe("resume", "feature");
    expect([existsSync(claudePath(a, "late")), existsSync(claudePath(a, "session-4"))]).toEqual([true, true]);
  });
});

describe("subagents' transcripts", () => {
  const callOf = (id: string) =>
    `${JSON.stringify({ type: "assistant", message: { content: [{ type: "tool_use", id, name: "Agent" }] } })}\n`;

  test("come back with the conversation that called them, from a remote too", async () => {
    const { a, b } = await pushedSession();
    const tasks = (id: string, agent: string) =>
      [
        [`${id}/task.json`, { bytes: Buffer.from("{}\n") }],
        [`${id}/agent-${agent}.jsonl`, { bytes: Buffer.from(`"from ${agent}"\n`) }],
      ] as const;
    const one = smallCheckpoint(idOf(20), { sessionId: "first", transcript: [callOf("toolu_1")] });
    const two = smallCheckpoint(idOf(20), { sessionId: "second", transcript: [callOf("toolu_2")] });
    await a.stores.v1.write(
      [
        { ...one, tasks: new Map(tasks("toolu_1", "a1")) },
        { ...two, tasks: new Map([...tasks("toolu_2", "a2"), ...tasks("toolu_9", "a9")]) },
      ],
      writeOptions,
    );
    a.commit(`More\n\nEntire-Checkpoint: ${idOf(20)}`);
    a.sh("push", "-q", "origin", "feature");
    expect(a.keyframe("push").code).toBe(0);
    b.sh("fetch", "-q", "origin", "feature:feature");
    expect(b.keyframe("resume", "feature").code).toBe(0);
    const folder = (session: string) => join(claudePath(b, session).replace(/\.jsonl$/, ""), "subagents");
    expect(readdirSync(folder("first"))).toEqual(["agent-a1.jsonl"]);
    expect(readFileSync(join(folder("second"), "agent-a2.jsonl"), "utf8")).toBe('"from a2"\n');
    expect(existsSync(join(folder("second"), "agent-a9.jsonl"))).toBe(false);
    // what is there is never written over
    writeFileSync(join(folder("first"), "agent-a1.jsonl"), "gone on\n");
    rmSync(join(folder("second"), "agent-a2.jsonl"));
    expect(b.keyframe("resume", "feature").code).toBe(0);
    expect(readFileSync(join(folder("first"), "agent-a1.jsonl"), "utf8")).toBe("gone on\n");
    expect(existsSync(join(folder("second"), "agent-a2.jsonl"))).toBe(true);
  });

  test("that cannot be had are told, and the conversation is restored without them", async () => {
    const { a, b } = await pushedSession();
    const content = Buffer.from('"lost"\n');
    const checkpoint = smallCheckpoint(idOf(21), { sessionId: "alone", transcript: [callOf("toolu_1")] });
    const tasks = new Map([["toolu_1/agent-a1.jsonl", { bytes: content }]]);
    await a.stores.v1.write([{ ...checkpoint, tasks }], writeOptions);
    a.commit(`More\n\nEntire-Checkpoint: ${idOf(21)}`);
    a.sh("push", "-q", "origin", "feature");
    expect(a.keyframe("push").code).toBe(0);
    b.sh("fetch", "-q", "origin", "feature:feature");
    const oid = a.sh(
      "rev-parse",
      `entire/checkpoints/v1:${idOf(21).slice(0, 2)}/${idOf(21).slice(2)}/tasks/toolu_1/agent-a1.jsonl`,
    );
    lose(oid);
    const result = b.keyframe("resume", "feature");
    expect(result.code).toBe(0);
    expect(result.stderr).toContain("some subagents' transcripts are not restored");
    expect(readFileSync(claudePath(b, "alone"), "utf8")).toContain("toolu_1");
  });
});

describe("what cannot be had is named, with where and why:", () => {
  /** Makes the bare repository forget one object. */
  test("an object that the remote has lost", async () => {
    const { a, b } = await pushedSession();
    lose(a.sh("rev-parse", `entire/checkpoints/v1:00/${wanted.slice(2)}/0/full.jsonl.001`));
    const result = b.keyframe("resume", "feature");
    expect([result.code, result.stderr]).toEqual([
      3,
      expect.stringContaining(
        `origin does not have the transcript of session 0 of checkpoint ${wanted} (1 objects`,
      ),
    ]);
    expect(existsSync(claudePath(b, "session-3"))).toBe(false);
    expect(b.sh("branch", "--show-current")).toBe("main");
  });

  test("a remote that is not there, a checkpoint that it does not have, a commit that names none", async () => {
    const { a, b } = await pushedSession();
    const unknown = b.keyframe("resume", idOf(77));
    expect([unknown.code, unknown.stderr]).toEqual([
      3,
      expect.stringContaining(`checkpoint ${idOf(77)} is neither on this machine nor at origin`),
    ]);
    const none = a.keyframe("resume", "main");
    expect([none.code, none.stderr]).toEqual([3, expect.stringContaining("(never-recorded)")]);
    b.sh("remote", "set-url", "origin", "http://127.0.0.1:1/nowhere.git");
    const gone = b.keyframe("resume", "feature");
    expect([gone.code, gone.stderr]).toEqual([
      6,
      expect.stringMatching(/\(remote origin\).*\(remote-failed\)/s),
    ]);
    b.sh("remote", "remove", "origin");
    const alone = b.keyframe("resume", "feature");
    expect([alone.code, alone.stderr]).toEqual([3, expect.stringContaining("(not-here)")]);
  });

  test("a record that lacks a chunk of its own", async () => {
    const { a } = await pushedSession({ over: "folder" });
    const tree = a.sh("rev-parse", "entire/checkpoints/v1^{tree}");
    a.sh("read-tree", "--index-output=.git/other-index", tree);
    const env = { ...a.env, GIT_INDEX_FILE: ".git/other-index" };
    const git = (...args: string[]) =>
      execFileSync("git", args, { cwd: a.folder, env, encoding: "utf8" }).trim();
    git("rm", "-q", "--cached", `00/${wanted.slice(2)}/0/full.jsonl`);
    const commit = git("commit-tree", git("write-tree"), "-m", "hole");
    a.sh("update-ref", "refs/heads/entire/checkpoints/v1", commit);
    const result = a.keyframe("resume", wanted);
    expect([result.code, result.stderr]).toEqual([5, expect.stringContaining("lacks chunk 0")]);
  });
});
