import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { findRemoteProblems } from "../../src/checkpoints/remote/push/find-remote-problems.ts";
import { resolveRemote } from "../../src/git/remote/remote.ts";
import { conversation, idOf, smallCheckpoint, writeOptions } from "../support/small-checkpoints.ts";
import { type Clone, makeSyncedClones, type SyncedClones } from "../support/synced-clones.ts";

let clones: SyncedClones;
afterEach(() => clones.close());

const branch = "refs/heads/entire/checkpoints/v1";

/** Makes an object in the bare repository that git itself would refuse. */
function put(type: string, content: Buffer | string): string {
  return execFileSync("git", ["hash-object", "-w", "-t", type, "--literally", "--stdin"], {
    cwd: clones.remoteFolder,
    input: content,
    encoding: "utf8",
  }).trim();
}

function tree(entries: readonly (readonly [mode: string, name: string, oid: string])[]): string {
  return put(
    "tree",
    Buffer.concat(
      entries.map(([mode, name, oid]) =>
        Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(oid, "hex")]),
      ),
    ),
  );
}

function point(ref: string, root: string): void {
  const commit = execFileSync(
    "git",
    ["-c", "user.name=x", "-c", "user.email=x@x", "commit-tree", root, "-m", "x"],
    {
      cwd: clones.remoteFolder,
      encoding: "utf8",
    },
  ).trim();
  clones.remote("update-ref", ref, commit);
}

function filesBelow(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: "utf8" }) : [];
}

test.each(["../../../escaped", "/tmp/escaped", "a/b", "-rf", "..", ""])(
  "a session called %j is never written to a path made of its name",
  async (sessionId) => {
    clones = await makeSyncedClones({ over: "folder" });
    const blob = put("blob", JSON.stringify({ session_id: sessionId, agent: "Claude Code" }));
    const text = put("blob", "{}\n");
    const session = tree([
      ["100644", "full.jsonl", text],
      ["100644", "metadata.json", blob],
    ]);
    const root = tree([
      ["40000", "0", session],
      ["100644", "metadata.json", put("blob", "{}")],
    ]);
    point(branch, tree([["40000", "00", tree([["40000", "0000000001", root]])]]));
    const b = clones.clone("b");
    const result = b.keyframe("resume", idOf(1));
    expect([result.code, result.stdout]).toEqual([4, ""]);
    expect(result.stderr).toContain("cannot be given a conversation");
    expect(filesBelow(b.home).filter((name) => name.endsWith(".jsonl"))).toEqual([]);
  },
);

test("names in trees that lead out are no checkpoints, and nothing is written where they point", async () => {
  clones = await makeSyncedClones({ over: "folder" });
  const blob = put("blob", "{}\n");
  const folder = tree([["100644", "metadata.json", blob]]);
  const odd = tree([
    ["100644", "../../x", blob],
    ["100644", "metadata.json", blob],
  ]);
  const escaping = tree([
    ["40000", "..", folder],
    ["40000", ".git", folder],
    ["40000", "0000000006", odd],
  ]);
  const good = tree([["40000", "0000000005", folder]]);
  point(
    branch,
    tree([
      ["40000", "00", good],
      ["40000", "01", escaping],
      ["100644", "02", blob],
    ]),
  );
  const b = clones.clone("b");
  const before = filesBelow(b.folder).filter((name) => !name.startsWith(".git"));
  expect(b.keyframe("fetch").code).toBe(0);
  expect(
    b
      .keyframe("list")
      .stdout.match(/^[0-9a-f]{12}/gm)
      ?.sort(),
  ).toEqual([idOf(5), "010000000006"]);
  expect(filesBelow(b.folder).filter((name) => !name.startsWith(".git"))).toEqual(before);
});

test("metadata that is an object of another kind is reported as unreadable, not taken for something", async () => {
  clones = await makeSyncedClones({ over: "folder" });
  const folder = tree([["100644", "metadata.json", put("blob", "{}\n")]]);
  const wrong = tree([["40000", "0", tree([["100644", "metadata.json", folder]])]]);
  point(branch, tree([["40000", "00", tree([["40000", "0000000005", wrong]])]]));
  const b = clones.clone("b");
  b.keyframe("fetch");
  const listed = b.keyframe("list");
  expect([listed.code, listed.stdout]).toEqual([0, expect.stringContaining("! metadata")]);
  const resumed = b.keyframe("resume", idOf(5));
  expect([resumed.code, resumed.stderr]).toEqual([5, expect.stringContaining("(damaged)")]);
});

function damagePacks(): void {
  const folder = join(clones.remoteFolder, "objects");
  clones.remote("repack", "-adq");
  for (const name of readdirSync(join(folder, "pack")).filter((file) => file.endsWith(".pack"))) {
    const path = join(folder, "pack", name);
    const bytes = readFileSync(path);
    rmSync(path);
    for (let at = bytes.length >> 1; at < bytes.length - 30; at += 97)
      bytes.writeUInt8(bytes.readUInt8(at) ^ 0xff, at);
    writeFileSync(path, bytes);
  }
}

async function pushedOnce(): Promise<{ a: Clone; b: Clone }> {
  clones = await makeSyncedClones({ over: "folder" });
  const [a, b] = [clones.clone("a"), clones.clone("b")];
  await a.stores.v1.write(
    [smallCheckpoint(idOf(1), { sessionId: "s", transcript: [conversation(200_000)] })],
    writeOptions,
  );
  expect(a.keyframe("push").code).toBe(0);
  return { a, b };
}

test("a remote whose packs are damaged is told so, and nothing of them is kept", async () => {
  const { b } = await pushedOnce();
  damagePacks();
  const packs = () => readdirSync(join(b.folder, ".git/objects/pack")).sort();
  const before = packs();
  const result = b.keyframe("resume", idOf(1));
  expect([5, 6]).toContain(result.code);
  expect(result.stderr).toMatch(/\(remote origin\)/);
  expect(filesBelow(b.home).filter((name) => name.endsWith(".jsonl"))).toEqual([]);
  expect(
    packs().filter((name) => !before.includes(name) && name.endsWith(".idx")).length,
  ).toBeLessThanOrEqual(2);
  expect(b.sh("fsck", "--no-dangling")).toBe("");
});

test.each(["--upload-pack=touch /tmp/x", "ext::sh -c touch% /tmp/x", "nowhere"])(
  "%j is not run as a remote",
  async (word) => {
    const { b } = await pushedOnce();
    const result = b.keyframe("fetch", "--", word);
    expect(result.code).not.toBe(0);
    expect(existsSync("/tmp/x")).toBe(false);
  },
);

test("doctor's view of remotes: disconnected, unpushed, interrupted and lost", async () => {
  const { a, b } = await pushedOnce();
  await b.stores.v1.write([smallCheckpoint(idOf(2), { sessionId: "t", transcript: ["{}\n"] })], writeOptions);
  b.sh("fetch", "-q", "origin", `+${branch}:refs/remotes/origin/entire/checkpoints/v1`);
  expect((await findRemoteProblems(b.context)).map(({ kind }) => kind)).toEqual([
    "disconnected",
    "not pushed",
  ]);
  expect(b.keyframe("push").code).toBe(0);
  b.sh("fetch", "-q", "origin", `+${branch}:refs/remotes/origin/entire/checkpoints/v1`);
  expect(await findRemoteProblems(b.context)).toEqual([]);
  expect((await resolveRemote(a.git)).name).toBe("origin");
  a.env["KEYFRAME_FAULT"] = "fetch:before-adopt";
  expect(a.keyframe("fetch").code).toBe(-1);
  expect((await findRemoteProblems(a.context)).map(({ kind }) => kind)).toEqual(["interrupted fetch"]);
  delete a.env["KEYFRAME_FAULT"];
  expect(a.keyframe("fetch").code).toBe(0);
  expect(await findRemoteProblems(a.context)).toEqual([]);
  // its own branch goes as well: what it held was not sent again, except by newer gits, which copy it over
  rmSync(join(a.folder, ".git/keyframe/fetched/objects/pack"), { recursive: true });
  a.sh("update-ref", "-d", branch);
  a.sh("reflog", "expire", "--expire=now", "--all");
  a.sh("gc", "-q", "--prune=now");
  expect((await findRemoteProblems(a.context)).map(({ kind }) => kind)).toContain("lost fetch");
  expect(a.keyframe("list").code).toBe(0);
  expect(a.keyframe("fetch").code).toBe(0);
  expect(await findRemoteProblems(a.context)).toEqual([]);
  expect(a.keyframe("list").stdout).toContain(idOf(2));
});
