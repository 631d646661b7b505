// Covers src/checkpoints/remove/**, src/cli/redact/**, src/cli/rm/**.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
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
  const b = clones.clone("b");
  expect(b.keyframe("fetch").code).toBe(0);
  return { a, b };
}

/** Every object that git has, reachable or not, as text. */
function holds(sh: (...args: string[]) => string, text: string): boolean {
  return sh("cat-file", "--batch-check=%(objectname) %(objecttype)", "--batch-all-objects", "--unordered")
    .split("\n")
    .filter((row) => row.endsWith(" blob"))
    .some((row) => sh("cat-file", "blob", row.split(" ")[0] ?? "").includes(text));
}
const reachable = (sh: (...args: string[]) => string, text: string) =>
  sh("rev-list", "--objects", "--all")
    .split("\n")
    .map((row) => row.split(" ")[0] ?? "")
    .some((oid) => sh("cat-file", "-t", oid) === "blob" && sh("cat-file", "blob", oid).includes(text));
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
