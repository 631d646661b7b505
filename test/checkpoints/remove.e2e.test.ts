// Covers src/checkpoints/remove/**, src/cli/redact/**, src/cli/rm/**.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { StoreKind } from "../../src/checkpoints/record/checkpoint-tree.ts";
import { idOf, smallCheckpoint, writeOptions } from "../support/small-checkpoints.ts";
import { type Clone, makeSyncedClones, type SyncedClones } from "../support/synced-clones.ts";

let clones: SyncedClones;
afterEach(() => clones.close());

const leaked = "my-very-private-phrase";
const line = (text: string) =>
  `${JSON.stringify({ type: "user", message: { role: "user", content: text } })}\n`;

/** Three checkpoints, two of one session whose transcript grows, pushed by one clone and fetched by another. */
async function pushed(store: StoreKind): Promise<{ a: Clone; b: Clone }> {
  clones = await makeSyncedClones({ over: "folder" });
  const a = clones.clone("a");
  await leak(a, store);
  const b = clones.clone("b");
  expect(b.keyframe("fetch").code).toBe(0);
  return { a, b };
}

async function leak(a: Clone, store: StoreKind): Promise<void> {
  const first = line(`the key is ${leaked}`);
  await a.stores[store].write(
    [smallCheckpoint(idOf(1), { sessionId: "leaky", transcript: [first] })],
    writeOptions,
  );
  await a.stores[store].write(
    [smallCheckpoint(idOf(2), { sessionId: "leaky", transcript: [first + line("more")] })],
    writeOptions,
  );
  await a.stores[store].write(
    [smallCheckpoint(idOf(3), { sessionId: "other", transcript: [line("nothing private")] })],
    writeOptions,
  );
  expect(a.keyframe("push").code).toBe(0);
}

type Sh = (...args: string[]) => string;

/** In any object that git has, reachable or not. */
const holds = (sh: Sh, text: string) =>
  sh("cat-file", "--batch", "--batch-all-objects", "--unordered").includes(text);

/** In what refs reach. */
const reachable = (sh: Sh, text: string) => sh("fast-export", "--all").includes(text);

const shOf =
  (clone: Clone) =>
  (...args: string[]) =>
    clone.sh(...args);
const atRemote = (...args: string[]) => clones.remote(...args);
const ids = (clone: Clone) =>
  JSON.parse(clone.keyframe("list", "--json").stdout).map(({ id }: { id: string }) => id);

describe.each<StoreKind>(["v1", "v2", "refs"])("in %s", (store) => {
  test("a session is removed here and at the remote, and nobody's push brings it back", async () => {
    const { a, b } = await pushed(store);
    const plan = a.keyframe("rm", "leaky");
    expect(plan.stdout).toContain(`checkpoint ${idOf(1)}\ncheckpoint ${idOf(2)}`);
    expect(ids(a)).toHaveLength(3);
    const removed = a.keyframe("rm", "leaky", "--force");
    expect([removed.code, removed.stderr]).toEqual([
      0,
      expect.stringContaining("clones and backups of others"),
    ]);
    expect(ids(a)).toEqual([idOf(3)]);
    expect(holds(shOf(a), leaked)).toBe(false);
    expect(reachable(atRemote, leaked)).toBe(false);
    a.sh("fsck");
    expect(a.keyframe("push").code).toBe(0);
    await b.stores[store].write(
      [smallCheckpoint(idOf(9), { sessionId: "of b", transcript: [line("b")] })],
      writeOptions,
    );
    expect(b.keyframe("fetch").code).toBe(0);
    const pushedByB = b.keyframe("push");
    expect([pushedByB.code, pushedByB.stderr]).toEqual([0, expect.any(String)]);
    expect(reachable(atRemote, leaked)).toBe(false);
    const c = clones.clone("c");
    expect(c.keyframe("fetch").code).toBe(0);
    expect(ids(c).sort()).toEqual([idOf(3), idOf(9)]);
  });

  test("one checkpoint is removed, and the others that hold the conversation are named", async () => {
    const { a } = await pushed(store);
    expect(a.keyframe("rm", idOf(3), "--force").code).toBe(0);
    expect(ids(a).sort()).toEqual([idOf(1), idOf(2)]);
    const other = a.keyframe("rm", idOf(1));
    expect(other.stderr).toContain("1 other checkpoints hold the same conversation");
  });

  test("a text is taken out of every checkpoint of its session, and the rest stays readable", async () => {
    const { a, b } = await pushed(store);
    writeFileSync(join(a.folder, "leak.txt"), `${leaked}\n`);
    const plan = a.keyframe("redact", idOf(1), "--secret", "leak.txt");
    expect([plan.code, plan.stdout]).toEqual([0, expect.stringContaining("of 2 checkpoints would change")]);
    const done = a.keyframe("redact", idOf(1), "--secret", "leak.txt", "--force");
    expect([done.code, done.stderr]).toEqual([0, expect.stringContaining("replace it")]);
    expect(holds(shOf(a), leaked)).toBe(false);
    expect(reachable(atRemote, leaked)).toBe(false);
    expect(a.keyframe("explain", idOf(2), "--raw-transcript").stdout).toContain("the key is REDACTED");
    expect(ids(a)).toHaveLength(3);
    await b.stores[store].write(
      [smallCheckpoint(idOf(9), { sessionId: "of b", transcript: [line("b")] })],
      writeOptions,
    );
    expect(b.keyframe("push").code).toBe(0);
    expect(reachable(atRemote, leaked)).toBe(false);
    const c = clones.clone("c");
    expect(c.keyframe("fetch").code).toBe(0);
    expect(ids(c)).toHaveLength(4);
    expect(c.keyframe("fetch", "--checkpoint", idOf(1)).code).toBe(0);
    expect(c.keyframe("explain", idOf(1), "--raw-transcript").stdout).toContain("REDACTED");
  });
});

/** Files below a directory that hold a text as it is: reflogs, indexes, copies of transcripts. */
function filesWith(directory: string, text: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => readFileSync(path).includes(text))
    .map((path) => relative(directory, path));
}

const inFetched = (clone: Clone) => {
  const { GIT_ALTERNATE_OBJECT_DIRECTORIES: _, ...env } = clone.env;
  const gitDir = join(clone.folder, ".git/keyframe/fetched");
  // alone, without what it borrows
  rmSync(join(gitDir, "objects/info/alternates"));
  return (...args: string[]) =>
    execFileSync("git", ["--git-dir", gitDir, ...args], { env, encoding: "utf8" }).trim();
};

describe.each<StoreKind>(["v1", "refs"])("of three clones, in %s,", (store) => {
  test("each loses a text that one of them takes out, from its refs and from every copy of ours", async () => {
    clones = await makeSyncedClones({ over: "folder" });
    // before anything leaks: a clone over a path copies every object
    const [a, b, c] = [clones.clone("a"), clones.clone("b"), clones.clone("c")];
    await leak(a, store);
    expect(b.keyframe("fetch").code).toBe(0);
    // b has work joined onto the history that leaks; both have read it and searched for it
    const ofB = smallCheckpoint(idOf(8), { sessionId: "of b", transcript: [line("b")] });
    await b.stores[store].write([ofB], writeOptions);
    expect(b.keyframe("push").code).toBe(0);
    for (const clone of [b, c]) {
      expect(clone.keyframe("fetch", "--checkpoint", idOf(2)).code).toBe(0);
      expect(clone.keyframe("explain", idOf(2), "--raw-transcript").stdout).toContain(leaked);
      expect(clone.keyframe("search", leaked).stdout).toContain(idOf(2));
    }
    writeFileSync(join(a.home, "leak.txt"), `${leaked}\n`);
    expect(a.keyframe("fetch").code).toBe(0);
    const done = a.keyframe("redact", "leaky", "--secret", join(a.home, "leak.txt"), "--force");
    expect([done.code, done.stderr]).toEqual([0, expect.stringContaining("clones and backups of others")]);
    const ofC = smallCheckpoint(idOf(9), { sessionId: "of c", transcript: [line("c")] });
    await c.stores[store].write([ofC], writeOptions);
    for (const clone of [b, c, a]) {
      for (const verb of ["push", "fetch"]) expect([verb, clone.keyframe(verb).code]).toEqual([verb, 0]);
      expect(reachable(atRemote, leaked)).toBe(false);
      expect(clone.keyframe("fetch", "--checkpoint", idOf(2)).code).toBe(0);
      expect(clone.keyframe("explain", idOf(2), "--raw-transcript").stdout).toContain("the key is REDACTED");
      expect(clone.keyframe("search", leaked).stdout).toContain("0 found");
      expect(clone.keyframe("search", "key", "redacted").stdout).toContain(idOf(2));
      expect(reachable(shOf(clone), leaked)).toBe(false);
      expect(filesWith(join(clone.folder, ".git"), leaked)).toEqual([]);
      expect(holds(inFetched(clone), leaked)).toBe(false);
      expect(clone.sh("fsck", "--no-dangling")).toBe("");
    }
    // what git keeps of a clone's own past goes as git's own things do
    for (const clone of [b, c]) {
      clone.sh("reflog", "expire", "--expire=now", "--all");
      clone.sh("gc", "-q", "--prune=now");
    }
    expect([a, b, c].map((clone) => holds(shOf(clone), leaked))).toEqual([false, false, false]);
    expect(ids(a).sort()).toEqual([1, 2, 3, 8, 9].map(idOf));
  });
});
