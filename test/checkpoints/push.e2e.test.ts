import { afterEach, expect, test } from "vitest";
import { findOrFetchCheckpoint } from "../../src/checkpoints/remote/fetch-checkpoints.ts";
import { findUnpushed, pushCheckpoints } from "../../src/checkpoints/remote/push-checkpoints.ts";
import { resolveRemote } from "../../src/git/remote.ts";
import { conversation, idOf, smallCheckpoint, writeOptions } from "../support/small-checkpoints.ts";
import { type Clone, makeSyncedClones, type SyncedClones } from "../support/synced-clones.ts";

let clones: SyncedClones;
afterEach(() => clones.close());

async function push(clone: Clone) {
  const remote = await resolveRemote(clone.git);
  return pushCheckpoints(clone.context, remote, await findUnpushed(clone.context, remote));
}

test.each(["v1", "v2", "refs"] as const)("two clones that push %s in turn lose nothing", async (kind) => {
  clones = await makeSyncedClones();
  const [a, b] = [clones.clone("a"), clones.clone("b")];
  await a.stores[kind].write(
    [smallCheckpoint(idOf(1), { sessionId: "s-1", transcript: [conversation(3000)] })],
    writeOptions,
  );
  await b.stores[kind].write(
    [smallCheckpoint(idOf(2), { sessionId: "s-2", transcript: [conversation(3000)] })],
    writeOptions,
  );
  expect(await push(a)).toMatchObject({ joined: [], problems: [] });
  const second = await push(b);
  expect(second.problems).toEqual([]);
  await a.stores[kind].write(
    [smallCheckpoint(idOf(3), { sessionId: "s-3", transcript: [conversation(3000)] })],
    writeOptions,
  );
  expect((await push(a)).problems).toEqual([]);
  await b.stores[kind].write(
    [smallCheckpoint(idOf(4), { sessionId: "s-4", transcript: [conversation(3000)] })],
    writeOptions,
  );
  expect((await push(b)).problems).toEqual([]);
  const c = clones.clone("c");
  for (const n of [1, 2, 3, 4]) {
    const places = await findOrFetchCheckpoint(c.context, await resolveRemote(c.git), idOf(n));
    expect(places?.[0].store).toBe(kind);
  }
  clones.remote("fsck", "--full");
});
