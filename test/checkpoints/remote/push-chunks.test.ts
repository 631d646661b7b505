import { expect, test } from "vitest";
import {
  freshMemory,
  nextSize,
  parseChunkMemory,
  pushInChunks,
} from "../../../src/checkpoints/remote/push-chunks.ts";
import type { Oid } from "../../../src/git/ids.ts";
import type { PushOutcome, RefPush } from "../../../src/git/remote/push.ts";
import { createFakeClock } from "../../../src/system/clock.ts";

const oid = "0".repeat(40) as Oid;
const refs = (count: number): RefPush[] =>
  Array.from({ length: count }, (_, number) => ({ ref: `refs/x/${number}`, oid }));

interface Remote {
  /** Of each ref. */
  readonly tookMs?: number;
  /** Refs because of which it refuses everything that comes with them. */
  readonly poisonous?: readonly string[];
  readonly deadlineMs?: number;
  readonly memory?: typeof freshMemory;
}

async function run(count: number, { tookMs = 0, poisonous = [], deadlineMs, memory = freshMemory }: Remote) {
  const clock = createFakeClock();
  const chunks: string[][] = [];
  const done = new Map<string, PushOutcome>();
  const result = await pushInChunks({
    pushes: refs(count),
    memory,
    clock,
    deadlineMs: deadlineMs === undefined ? undefined : clock.monotonicMs() + deadlineMs,
    push(chunk) {
      chunks.push(chunk.map(({ ref }) => ref));
      clock.advance(tookMs * chunk.length);
      const isRefused = chunk.some(({ ref }) => poisonous.includes(ref));
      return Promise.resolve(
        new Map(chunk.map(({ ref }): [string, PushOutcome] => [ref, isRefused ? { refused: "no" } : "done"])),
      );
    },
    take(outcomes) {
      for (const [ref, outcome] of outcomes) done.set(ref, outcome);
    },
  });
  const refused = [...done].filter(([, outcome]) => outcome !== "done").map(([ref]) => ref);
  return { ...result, chunks, done, refused };
}

test("many refs of a quick remote go in few pushes, each once", async () => {
  const { chunks, done, left, memory } = await run(450, {});
  expect(chunks.map(({ length }) => length)).toEqual([200, 200, 50]);
  expect([done.size, left, memory.refs]).toEqual([450, [], 200]);
});

test("a slow remote gets fewer at once, and what there was no time for waits", async () => {
  const { chunks, done, left, memory } = await run(450, { tookMs: 100, deadlineMs: 30_000 });
  expect(chunks.map(({ length }) => length)).toEqual([200, 50, 50]);
  expect(done.size + left.length).toBe(450);
  const again = await run(150, { tookMs: 10, deadlineMs: 30_000, memory });
  expect(again.chunks.map(({ length }) => length)).toEqual([50, 100]);
});

test("the first chunk is tried even where there is no time at all", async () => {
  const { done, left } = await run(3, { deadlineMs: 0, memory: { ...freshMemory, refs: 1 } });
  expect([done.size, left.length]).toEqual([1, 2]);
});

test("one ref that makes a remote refuse everything is found, comes last next time, and the others go", async () => {
  const { refused, chunks, memory } = await run(200, { poisonous: ["refs/x/77"] });
  expect(refused).toEqual(["refs/x/77"]);
  expect(chunks.length).toBeLessThan(20);
  const again = await run(200, { poisonous: ["refs/x/77"], memory });
  expect(again.chunks[0]?.at(-1)).toBe("refs/x/77");
});

test("a remote that refuses all is not asked without end", async () => {
  const all = refs(200).map(({ ref }) => ref);
  const { refused, chunks } = await run(200, { poisonous: all });
  expect(refused).toHaveLength(200);
  expect(chunks.length).toBeLessThan(60);
});

test.each([
  [200, 100, 1000, 200],
  [50, 100, 1000, 100],
  [50, 700, 1000, 50],
  [50, 1100, 1000, 12],
  [3, 1100, 1000, 1],
])("%i refs that took %i ms of %i: the next are %i", (size, tookMs, goalMs, next) => {
  expect(nextSize(size, tookMs, goalMs)).toBe(next);
});

test.each([undefined, 1, {}, { refs: 0 }, { refs: 1e9 }, { refs: "x", refused: 3 }])(
  "what is not a memory of pushes (%j) counts as none",
  (value) => {
    expect(parseChunkMemory(value)).toEqual(freshMemory);
  },
);
