import { spawnSync } from "node:child_process";
import { cpSync } from "node:fs";
import { resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { StoreKind } from "../../src/checkpoints/record/checkpoint-tree.ts";
import { commitMessage } from "../../src/checkpoints/stores/commit-message.ts";
import {
  type CheckpointRepository,
  makeCheckpointRepository,
  openCheckpointRepository,
} from "../support/checkpoint-repository.ts";
import { faultPointsInSource } from "../support/fault-points.ts";
import { generatedCheckpoint } from "../support/generate-checkpoints.ts";

const program = resolve("dist/keyframe.cjs");
const points = [
  "checkpoints:before-objects-durable",
  "checkpoints:before-refs",
  "checkpoints:before-rotation",
  "checkpoints:before-rotation-refs",
  "migration:after-batch",
  "migration:before-batch",
] as const;

function migrate(folder: string, to: StoreKind, fault?: string) {
  const env = { ...process.env, ...(fault === undefined ? {} : { KEYFRAME_FAULT: fault }) };
  return spawnSync(process.execPath, [program, "migrate", "--to", to, "--verify"], {
    cwd: folder,
    env,
    encoding: "utf8",
  });
}
const treesOf = ({ sh }: CheckpointRepository) =>
  sh("for-each-ref", "--format=%(refname) %(tree)", "refs/entire", "refs/heads/entire");

describe("a migration that is killed", () => {
  let source: CheckpointRepository;
  const expected = new Map<StoreKind, string>();
  const copies: CheckpointRepository[] = [];
  const copy = () => {
    const target = makeCheckpointRepository();
    copies.push(target);
    cpSync(source.folder, target.folder, { recursive: true, force: true });
    return openCheckpointRepository(target.folder);
  };
  beforeAll(async () => {
    source = makeCheckpointRepository();
    const writes = Array.from({ length: 130 }, (_, n) => generatedCheckpoint(n, 1));
    await source.stores.v1.write(writes, {
      message: commitMessage("v1", "checkpoint"),
      nowSeconds: 1_770_000_000,
    });
    for (const to of ["v2", "refs"] as const) {
      const clean = copy();
      expect(migrate(clean.folder, to).status).toBe(0);
      expected.set(to, treesOf(clean));
    }
  });
  afterAll(() => {
    for (const one of [source, ...copies]) one.remove();
  });

  const cases: readonly (readonly [StoreKind, string, number])[] = [
    ...points.map((point) => ["v2", point, 1] as const),
    ["v2", "checkpoints:before-refs", 2],
    ["v2", "migration:after-batch", 2],
    ["refs", "checkpoints:before-refs", 1],
  ];
  test.each(cases)(
    "to %s at %s, pass %d, leaves what was there and is finished by the next run",
    (to, point, pass) => {
      const target = copy();
      const branch = target.sh("rev-parse", "entire/checkpoints/v1");
      expect(migrate(target.folder, to, `${point}:${pass}`).signal).toBe("SIGKILL");
      expect(target.sh("rev-parse", "entire/checkpoints/v1")).toBe(branch);
      expect(target.sh("fsck", "--connectivity-only", "--no-dangling")).not.toMatch(/missing|broken/);
      const again = migrate(target.folder, to);
      expect(again.stderr).toBe("");
      expect(again.status).toBe(0);
      expect(treesOf(target)).toBe(expected.get(to));
      expect(migrate(target.folder, to).stdout).toContain("Nothing to migrate");
    },
  );

  test("a full disk is an error that says so, and costs nothing that was there", () => {
    const target = copy();
    const before = target.refs();
    const failed = migrate(target.folder, "v2", "checkpoints:before-refs=ENOSPC");
    expect(failed.status).not.toBe(0);
    expect(target.refs()).toBe(before);
  });
});

test("every fault point of the checkpoint stores is in this table", () => {
  const named = faultPointsInSource("checkpoints:", "migration:");
  expect(new Set(named)).toEqual(new Set(points));
});
