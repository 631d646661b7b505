// Covers src/workflows/ask/machine-rows.ts: the tree of machines, as the page shows it.
import { expect, test } from "vitest";
import type { SandboxRecord, SnapshotRecord } from "../../src/sandbox/store/records.ts";
import { machineRows } from "../../src/workflows/ask/machine-rows.ts";

const snapshot = (id: string, parent?: string) => ({
  record: {
    id,
    createdAtMs: 0,
    ...(parent === undefined ? {} : { parent: { id: parent, seal: "" } }),
  } as unknown as SnapshotRecord,
  state: "ready" as const,
});
const sandbox = (id: string, base?: string) => ({
  record: { id, createdAtMs: Number.NaN, base } as unknown as SandboxRecord,
  state: "stopped" as const,
});
const shown = (...from: Parameters<typeof machineRows>) =>
  machineRows(...from).map(({ id, depth, missing }) => [id, depth, ...(missing ? [missing] : [])]);

test("each stands below what it was made from, in the order given", () => {
  expect(
    shown(
      [snapshot("a"), snapshot("b", "a"), snapshot("c"), snapshot("d", "a")],
      [sandbox("s", "b"), sandbox("t")],
    ),
  ).toEqual([
    ["a", 0],
    ["b", 1],
    ["s", 2],
    ["d", 1],
    ["c", 0],
    ["t", 0],
  ]);
});

test("what lost its parent says so; what depends on itself is shown once", () => {
  expect(shown([snapshot("x", "y"), snapshot("y", "x"), snapshot("o", "gone")], [sandbox("s", "x")])).toEqual(
    [
      ["o", 0, "gone"],
      ["x", 0],
      ["y", 1],
      ["s", 1],
    ],
  );
});

test("a chain of 20,000 snapshots is no recursion", () => {
  const chain = Array.from({ length: 20_000 }, (_, at) =>
    snapshot(`n${at}`, at === 0 ? undefined : `n${at - 1}`),
  );
  expect(machineRows(chain, []).at(-1)?.depth).toBe(19_999);
});
