// Covers src/git/*, src/git/refs/**.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openGit } from "../../src/git/git.ts";
import type { Oid } from "../../src/git/ids.ts";
import { openObjectReader } from "../../src/git/objects/objects.ts";
import { readCommitPatches, readParentPatches } from "../../src/git/objects/patch.ts";
import { listNotes, readNotes, updateNotes } from "../../src/git/refs/notes.ts";
import { mustResolveCommit, resolveRevision, updateRefs } from "../../src/git/refs/refs.ts";
import { findRepository, mustFindRepository, readHeadFromFiles } from "../../src/git/repository.ts";
import { nodeFiles } from "../../src/system/files/files.ts";
import { nodeMachine } from "../../src/system/machine/machine.ts";
import { nodeProcesses } from "../../src/system/process/processes.ts";

let folder: string;
const sh = (...args: string[]) =>
  execFileSync("git", ["-c", "user.name=T", "-c", "user.email=t@example.com", ...args], {
    cwd: folder,
    encoding: "utf8",
  }).trim();
const write = (path: string, text: string | Buffer) => writeFileSync(join(folder, path), text);
const commit = (message: string) => {
  sh("add", "-A");
  sh("commit", "-qm", message);
  return sh("rev-parse", "HEAD") as Oid;
};
const open = () => openGit(mustFindRepository(folder, nodeMachine), nodeProcesses);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kf-git-"));
  sh("init", "-q", "-b", "main");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("finding a repository", () => {
  test("works from a subfolder, a linked worktree and a submodule, and answers undefined outside", () => {
    mkdirSync(join(folder, "a/b"), { recursive: true });
    write("a/b/f", "x\n");
    commit("one");
    expect(findRepository(join(folder, "a/b"), nodeMachine)?.workTree).toBe(folder);
    const linked = `${folder}-linked`;
    sh("worktree", "add", "-q", linked);
    const inLinked = findRepository(linked, nodeMachine);
    expect(inLinked?.workTree).toBe(linked);
    expect(inLinked?.commonDir).toBe(join(folder, ".git"));
    expect(inLinked?.gitDir).toContain("/.git/worktrees/");
    rmSync(linked, { recursive: true });
    sh("-c", "protocol.file.allow=always", "submodule", "add", "-q", folder, "sub");
    expect(findRepository(join(folder, "sub"), nodeMachine)?.gitDir).toBe(join(folder, ".git/modules/sub"));
    expect(findRepository(tmpdir(), nodeMachine)).toBeUndefined();
  });

  test("HEAD is read from loose refs, packed refs, a detached head, and before the first commit", () => {
    const head = () => readHeadFromFiles(mustFindRepository(folder, nodeMachine), nodeFiles);
    expect(head()).toEqual({ ref: "refs/heads/main", oid: undefined });
    write("f", "x\n");
    const oid = commit("one");
    expect(head()).toEqual({ ref: "refs/heads/main", oid });
    sh("pack-refs", "--all");
    expect(head()).toEqual({ ref: "refs/heads/main", oid });
    sh("checkout", "-q", "--detach");
    expect(head()).toEqual({ ref: undefined, oid });
  });
});

describe("objects", () => {
  test("many pipelined reads answer in order, with undefined for what is not here", async () => {
    const big = Buffer.alloc(3_000_000, "line\n");
    write("big", big);
    write("empty", "");
    commit("one");
    const reader = openObjectReader(open());
    const names = ["HEAD:big", "HEAD:none", "HEAD:empty", "no such\nname", "HEAD", "HEAD:big"];
    const answers = await Promise.all(names.map((name) => reader.read(name)));
    expect(answers.map((answer) => answer?.type)).toEqual([
      "blob",
      undefined,
      "blob",
      undefined,
      "commit",
      "blob",
    ]);
    expect(answers[5]?.content.equals(big)).toBe(true);
    expect((await reader.info("HEAD:big"))?.sizeBytes).toBe(big.length);
    await reader.close();
  });

  test("a reader over a repository that vanished fails with git's own words", async () => {
    const git = open();
    rmSync(join(folder, ".git"), { recursive: true });
    await expect(openObjectReader(git).read("HEAD")).rejects.toThrow(
      /git cat-file failed|not a git repository/i,
    );
  });
});

describe("patches", () => {
  test("give the added regions of root, plain, merge and rename commits against the first parent", async () => {
    write("f", "1\n2\n3\n");
    write("bin", Buffer.from([0, 1, 2, 10, 0]));
    const root = commit("root");
    write("f", "1\nX\n3\nY");
    write("with space é.txt", "a\n");
    const second = commit("second");
    sh("checkout", "-qb", "side", root);
    write("side", "s\n");
    commit("side");
    sh("checkout", "-q", "main");
    sh("merge", "-q", "--no-ff", "-m", "merge", "side");
    const merge = sh("rev-parse", "HEAD") as Oid;
    sh("mv", "f", "g");
    const rename = commit("rename");
    const patches = [];
    for await (const patch of readCommitPatches(open(), [root, second, merge, rename])) patches.push(patch);
    expect(patches.map((patch) => patch.commit)).toEqual([root, second, merge, rename]);
    expect(patches[0]?.files).toEqual([
      { oldPath: undefined, newPath: "bin", binary: true, hunks: [] },
      {
        oldPath: undefined,
        newPath: "f",
        binary: false,
        hunks: [{ oldStart: 0, oldCount: 0, newStart: 1, newCount: 3 }],
      },
    ]);
    expect(patches[1]?.files).toEqual([
      {
        oldPath: "f",
        newPath: "f",
        binary: false,
        hunks: [
          { oldStart: 2, oldCount: 1, newStart: 2, newCount: 1 },
          { oldStart: 3, oldCount: 0, newStart: 4, newCount: 1 },
        ],
      },
      {
        oldPath: undefined,
        newPath: "with space é.txt",
        binary: false,
        hunks: [{ oldStart: 0, oldCount: 0, newStart: 1, newCount: 1 }],
      },
    ]);
    expect(patches[2]?.files.map((file) => file.newPath)).toEqual(["side"]);
    expect(patches[3]?.files).toEqual([{ oldPath: "f", newPath: "g", binary: false, hunks: [] }]);
  });

  test("content that looks like a header is content", async () => {
    write("f", "a\n");
    const root = commit("root");
    write("f", `a\ndiff --git a/x b/x\n@@ -1 +1 @@\n${"0".repeat(40)}\n${"z".repeat(200_000)}\nend\n`);
    const second = commit("second");
    const patches = [];
    for await (const patch of readCommitPatches(open(), [root, second])) patches.push(patch);
    expect(patches[1]?.files).toEqual([
      {
        oldPath: "f",
        newPath: "f",
        binary: false,
        hunks: [{ oldStart: 1, oldCount: 0, newStart: 2, newCount: 5 }],
      },
    ]);
  });
});

describe("refs", () => {
  test("move only from the expected value, all or none", async () => {
    write("f", "x\n");
    const one = commit("one");
    write("f", "y\n");
    const two = commit("two");
    const git = open();
    const create = { ref: "refs/keyframe/a", next: one, expected: undefined };
    expect(await updateRefs(git, [create], "m")).toBe(true);
    expect(await updateRefs(git, [create], "m")).toBe(false);
    const stale = { ref: "refs/keyframe/a", next: two, expected: two };
    const other = { ref: "refs/keyframe/b", next: two, expected: undefined };
    expect(await updateRefs(git, [other, stale], "m")).toBe(false);
    expect(await resolveRevision(git, "refs/keyframe/b")).toBeUndefined();
    expect(await updateRefs(git, [{ ref: "refs/keyframe/a", next: undefined, expected: one }], "m")).toBe(
      true,
    );
    await expect(mustResolveCommit(git, "nope")).rejects.toMatchObject({ code: "not-found" });
  });
});

describe("notes", () => {
  test("are read in every fan-out, the shallower spelling first, and rewritten under one spelling", async () => {
    write("f", "x\n");
    const one = commit("one");
    const nest = (depth: number) =>
      depth === 0
        ? one
        : depth === 1
          ? `${one.slice(0, 2)}/${one.slice(2)}`
          : `${one.slice(0, 2)}/${one.slice(2, 4)}/${one.slice(4)}`;
    const stream = `commit refs/notes/ai\ncommitter T <t@e> 0 +0000\ndata 0\n${[1, 2].map((depth) => `M 100644 inline ${nest(depth)}\ndata 6\ndepth${depth}\n`).join("")}`;
    execFileSync("git", ["fast-import", "--quiet"], { cwd: folder, input: stream });
    const git = open();
    const reader = openObjectReader(git);
    write("f", "y\n");
    const two = commit("two");
    sh("notes", "--ref=flat", "add", "-m", "flat", two);
    expect((await readNotes(reader, "refs/notes/flat", [one, two])).get(two)?.toString()).toBe("flat\n");
    expect((await readNotes(reader, "refs/notes/none", [one])).size).toBe(0);
    expect((await readNotes(reader, "refs/notes/ai", [one])).get(one)?.toString()).toBe("depth1");
    const update = {
      ref: "refs/notes/ai",
      message: "note",
      nowSeconds: 1,
      edits: new Map([[one, () => "new"]]),
    };
    expect(await updateNotes(git, reader, update)).toBe(1);
    expect(await updateNotes(git, reader, update)).toBe(0);
    expect(sh("ls-tree", "-r", "--name-only", "refs/notes/ai")).toBe(nest(1));
    expect([...(await listNotes(git, "refs/notes/ai")).keys()]).toEqual([one]);
    await reader.close();
  });

  test("two writers at the same time both succeed, and the later one sees what the first wrote", async () => {
    const commits: Oid[] = [];
    for (let index = 0; index < 6; index += 1) {
      write("f", `${index}\n`);
      commits.push(commit(`c${index}`));
    }
    const git = open();
    await Promise.all(
      commits.map(async (oid) => {
        const reader = openObjectReader(git);
        const edits = new Map([[oid, () => `note of ${oid}`]]);
        await updateNotes(git, reader, { ref: "refs/notes/ai", message: "note", nowSeconds: 1, edits });
        await reader.close();
      }),
    );
    const reader = openObjectReader(git);
    const notes = await readNotes(reader, "refs/notes/ai", commits);
    expect(commits.map((oid) => notes.get(oid)?.toString())).toEqual(commits.map((oid) => `note of ${oid}`));
    await reader.close();
  });
});

describe("patches against named parents", () => {
  test("come one per pair, also where nothing changed, and a submodule has no lines", async () => {
    write("f", "1\n");
    const one = commit("one");
    sh("checkout", "-qb", "side");
    sh("commit", "-q", "--allow-empty", "-m", "empty");
    const empty = sh("rev-parse", "HEAD") as Oid;
    sh("update-index", "--add", "--cacheinfo", `160000,${one},sub`);
    sh("commit", "-qm", "submodule");
    const submodule = sh("rev-parse", "HEAD") as Oid;
    const pairs = [
      { commit: empty, parent: one },
      { commit: submodule, parent: empty },
      { commit: one, parent: undefined },
      { commit: empty, parent: one },
    ];
    const patches = [];
    for await (const patch of readParentPatches(open(), pairs)) patches.push(patch);
    expect(patches.map((patch) => patch.commit)).toEqual(pairs.map((pair) => pair.commit));
    expect(patches.map((patch) => patch.files.map((file) => [file.newPath, file.hunks.length]))).toEqual([
      [],
      [["sub", 0]],
      [["f", 1]],
      [],
    ]);
  });
});
