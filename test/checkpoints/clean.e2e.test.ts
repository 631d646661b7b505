// Covers src/cli/clean/**.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { startAgentSession } from "../support/agent-session.ts";
import { faultPointsInSource } from "../support/fault-points.ts";
import { idOf, smallCheckpoint, writeOptions } from "../support/small-checkpoints.ts";
import { makeSyncedClones, type SyncedClones } from "../support/synced-clones.ts";
import { createTestRepository, keyframeProgram, type TestRepository } from "../support/test-repository.ts";

const points = [
  "clean:after-record",
  "clean:after-rewind-record",
  "clean:before-item",
  "clean:before-item:3",
];
const packPoints = ["clean:before-adopt", "clean:while-removing-pack", "clean:while-removing-pack:3"];

test("the list of fault points is complete", () => {
  const named = new Set([...points, ...packPoints].map((point) => point.replace(/:\d$/, "")));
  expect([...named].sort()).toEqual(faultPointsInSource("clean:"));
});

describe("sessions and rewinds", () => {
  let repository: TestRepository;
  let untouched: string;

  beforeAll(async () => {
    repository = createTestRepository();
    repository.write("a", "1\n");
    repository.commit("one");
    repository.keyframe(["enable"]);
    const work = async (id: string, path: string) => {
      const agent = startAgentSession(repository, id);
      await agent.prompt(`write ${path}`);
      await agent.write(path, `by ${id}\n`);
      agent.say("done");
      await agent.stop();
      return agent;
    };
    const finished = await work("finished", "b");
    repository.commit("with a conversation");
    await finished.end();
    const points = JSON.parse(repository.keyframe(["rewind", "--list", "--json"]).stdout) as { id: string }[];
    for (const { id } of points.slice(0, 2)) repository.keyframe(["rewind", "--to", id, "--files"]);
    repository.keyframe(["rewind", "--undo"]);
    repository.git("checkout", "-q", "--", ".");
    await (await work("waiting", "c")).end();
    const active = await work("active", "d");
    await active.prompt("go on");
    untouched = mkdtempSync(join(tmpdir(), "kf-clean-"));
    cpSync(join(repository.folder, ".git"), join(untouched, ".git"), { recursive: true });
  });
  afterEach(() => {
    delete repository.env["KEYFRAME_FAULT"];
    rmSync(join(repository.folder, ".git"), { recursive: true });
    cpSync(join(untouched, ".git"), join(repository.folder, ".git"), { recursive: true });
  });
  afterAll(() => {
    repository.remove();
    rmSync(untouched, { recursive: true });
  });

  const clean = (...flags: string[]) => repository.keyframe(["clean", ...flags]);
  const all = ["--older-than", "0s"];
  const refs = () => repository.git("for-each-ref", "--format=%(refname)", "refs/keyframe").split("\n");
  const files = (folder: string) => readdirSync(join(repository.folder, ".git", folder)).sort();
  const sessions = () =>
    (
      JSON.parse(repository.keyframe(["session", "list", "--json"]).stdout) as { sessions: { id: string }[] }
    ).sessions.map(({ id }) => id);
  const standing = () => [
    refs(),
    files("entire-sessions"),
    files("keyframe/capture"),
    files("keyframe/rewind"),
  ];
  const checkpoints = () => repository.git("rev-parse", "entire/checkpoints/v1", "HEAD", "refs/notes/ai");

  test("nothing is removed without --force, and nothing young with it", () => {
    const before = standing();
    expect(clean().stdout).toBe("Nothing to clean.\n");
    const shown = clean(...all);
    expect(shown.stdout).toContain("transcript copy  finished\n");
    expect(shown.stdout).toMatch(/^\d to remove; `keyframe clean --force` does it$/m);
    expect(clean(...all, "--dry-run").stdout).toBe(shown.stdout);
    expect(clean("--force").stdout).toBe("Nothing to clean.\n");
    expect(standing()).toEqual(before);
    expect(clean("--force", "--dry-run").code).toBe(2);
    expect(clean("--older-than", "soon").code).toBe(2);
  });

  test("a finished session goes with all that is kept of it; sessions at work or waiting stay, and every checkpoint", () => {
    const kept = checkpoints();
    const result = JSON.parse(clean(...all, "--force", "--json").stdout) as {
      removed: { kind: string }[];
      kept: { sessionId: string; why: string }[];
    };
    expect(result.removed.map(({ kind }) => kind)).toEqual([
      "turn snapshots",
      "transcript copy",
      "session state",
      "last rewind",
      // of the turns that went
      "unused owners",
    ]);
    expect(result.kept.map(({ sessionId }) => sessionId).sort()).toEqual(["active", "waiting"]);
    expect(sessions().sort()).toEqual(["active", "waiting"]);
    expect(refs()).toHaveLength(2);
    expect(refs().join()).not.toContain("safety");
    expect(files("keyframe/capture")).toHaveLength(2);
    expect(checkpoints()).toBe(kept);
    expect(repository.keyframe(["explain", "HEAD"]).stdout).toContain("write b");
    expect(repository.keyframe(["rewind", "--undo"])).toMatchObject({ code: 3 });
    expect(clean(...all, "--force").stdout).toBe("Nothing to clean.\n");
    // what waits is linked to its commit as ever
    repository.git("add", "c");
    repository.git("commit", "-q", "-m", "the waiting work");
    expect(repository.git("log", "-1", "--format=%B")).toContain("Entire-Checkpoint:");
    expect(repository.keyframe(["explain", "HEAD"]).stdout).toContain("write c");
  });

  test("lines of a turn that was killed wait for a commit though no state says so", () => {
    repository.keyframe(["session", "stop", "active"]);
    const state = JSON.parse(repository.keyframe(["session", "show", "active", "--json"]).stdout) as object;
    expect(state).toMatchObject({ phase: "ended" });
    const path = join(repository.folder, ".git/entire-sessions/active.json");
    const stored = JSON.parse(readFileSync(path, "utf8")) as object;
    writeFileSync(path, JSON.stringify({ ...stored, files_touched: [] }));
    clean(...all, "--force");
    expect(sessions().sort()).toEqual(["active", "waiting"]);
  });

  test("a session that was cleaned away can go on: it is captured anew", async () => {
    clean(...all, "--force");
    const again = startAgentSession(repository, "finished");
    await again.prompt("once more");
    await again.write("e", "again\n");
    again.say("done");
    await again.stop();
    repository.git("add", "e");
    repository.git("commit", "-q", "-m", "again");
    const { stdout } = repository.keyframe(["explain", "HEAD", "--full"]);
    expect([stdout.includes("once more"), stdout.includes("write b")]).toEqual([true, true]);
  });

  test.each(points)("killed at %s, the next run ends where it would have ended", (point) => {
    const kept = checkpoints();
    repository.env["KEYFRAME_FAULT"] = point;
    expect(clean(...all, "--force").code).toBe(-1);
    delete repository.env["KEYFRAME_FAULT"];
    expect(clean(...all, "--force").code).toBe(0);
    // a rewind whose record went leaves its snapshots to a later run
    expect(clean(...all, "--force").stdout).toBe("Nothing to clean.\n");
    expect(sessions().sort()).toEqual(["active", "waiting"]);
    expect([refs().length, files("keyframe/capture").length, files("keyframe/rewind")]).toEqual([2, 2, []]);
    expect(checkpoints()).toBe(kept);
  });

  test("two at once remove each thing once", async () => {
    const start = () =>
      spawn(process.execPath, [keyframeProgram, "clean", ...all, "--force"], {
        cwd: repository.folder,
        env: repository.env,
        stdio: "ignore",
      });
    const both = [start(), start()];
    const ends = await Promise.all(both.map((child) => once(child, "exit")));
    expect(ends.map(([code]) => code as unknown)).toEqual([0, 0]);
    expect(sessions().sort()).toEqual(["active", "waiting"]);
    expect([refs().length, files("keyframe/capture").length]).toEqual([2, 2]);
  });
});

describe("packs of many fetches", () => {
  let clones: SyncedClones | undefined;
  afterEach(async () => {
    await clones?.close();
    clones = undefined;
  });

  /** A clone with more packs of our own than are left alone. */
  async function fetchOften(): Promise<{
    readonly clone: ReturnType<SyncedClones["clone"]>;
    readonly packs: () => string[];
  }> {
    clones = await makeSyncedClones({ over: "folder" });
    const [a, b] = [clones.clone("a"), clones.clone("b")];
    for (let n = 1; n <= 5; n += 1) {
      await a.stores.v1.write(
        [smallCheckpoint(idOf(n), { sessionId: `s${n}`, transcript: [`{"n":${n}}\n`] })],
        writeOptions,
      );
      a.commit(`Work\n\nEntire-Checkpoint: ${idOf(n)}`);
      a.sh("push", "-q", "origin", "HEAD:main");
      expect(a.keyframe("push").code).toBe(0);
      expect(b.keyframe("fetch").code).toBe(0);
    }
    const folder = join(b.folder, ".git/keyframe/fetched/objects/pack");
    return { clone: b, packs: () => readdirSync(folder).filter((name) => name.endsWith(".idx")) };
  }

  /** Every object of the repository and of what was fetched. */
  function everyObject({ folder, env }: ReturnType<SyncedClones["clone"]>): string {
    const fetched = join(folder, ".git/keyframe/fetched/objects");
    return execFileSync("git", ["cat-file", "--batch-all-objects", "--batch-check"], {
      cwd: folder,
      env: { ...env, GIT_ALTERNATE_OBJECT_DIRECTORIES: fetched },
      encoding: "utf8",
    });
  }

  test("become one that holds every object, and what was fetched is read as before", async () => {
    const { clone, ...fetched } = await fetchOften();
    expect(fetched.packs().length).toBeGreaterThan(8);
    const objects = everyObject(clone);
    const listed = clone.keyframe("list", "--json").stdout;
    expect(clone.keyframe("clean").stdout).toContain("packs become one");
    expect(clone.keyframe("clean", "--force").code).toBe(0);
    expect(fetched.packs()).toHaveLength(1);
    expect(everyObject(clone)).toBe(objects);
    expect(clone.keyframe("list", "--json").stdout).toBe(listed);
    expect(clone.keyframe("clean", "--force").stdout).toBe("Nothing to clean.\n");
    expect(clone.sh("fsck", "--no-dangling", "--connectivity-only")).toBe("");
  });

  test("no object is lost wherever it is killed, and the next run ends it", async () => {
    const { clone, ...fetched } = await fetchOften();
    const objects = everyObject(clone);
    const untouched = mkdtempSync(join(tmpdir(), "kf-packs-"));
    cpSync(join(clone.folder, ".git"), untouched, { recursive: true });
    try {
      for (const point of packPoints) {
        clone.env["KEYFRAME_FAULT"] = point;
        expect([point, clone.keyframe("clean", "--force").code]).toEqual([point, -1]);
        delete clone.env["KEYFRAME_FAULT"];
        expect(everyObject(clone)).toBe(objects);
        while (clone.keyframe("clean", "--force").stdout !== "Nothing to clean.\n");
        expect(everyObject(clone)).toBe(objects);
        expect(fetched.packs().length).toBeLessThanOrEqual(8);
        expect(existsSync(join(clone.folder, ".git/keyframe/incoming"))).toBe(true);
        expect(readdirSync(join(clone.folder, ".git/keyframe/incoming"))).toEqual([]);
        rmSync(join(clone.folder, ".git"), { recursive: true });
        cpSync(untouched, join(clone.folder, ".git"), { recursive: true });
      }
    } finally {
      rmSync(untouched, { recursive: true });
    }
  });
});
