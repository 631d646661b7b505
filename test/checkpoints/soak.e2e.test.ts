import { expect, test } from "vitest";
import type { StoreKind } from "../../src/checkpoints/record/checkpoint-tree.ts";
import { storeKinds } from "../../src/checkpoints/stores/open-stores.ts";
import { faultPointsInSource } from "../support/fault-points.ts";
import { runSoak } from "../support/soak/world.ts";

// `npm run soak` runs for long, from any seed, and kills at any moment; here a short run from a fixed seed
const steps = Number(process.env["KEYFRAME_SOAK_STEPS"] ?? 12);
const seed = Number(process.env["KEYFRAME_SOAK_SEED"] ?? 17);
const store = storeKinds.find((kind) => kind === process.env["KEYFRAME_SOAK_STORE"]);
const killAnywhere = process.env["KEYFRAME_SOAK_STEPS"] !== undefined;
const faults = faultPointsInSource(
  "capture:",
  "checkpoints:",
  "build-checkpoint:",
  "clean:",
  "fetch:",
  "journal:",
  "notes:",
  "push:",
  "resume:",
  "settle:",
);

test.each<readonly [string, StoreKind, boolean]>([
  ["can filter", store ?? "v1", true],
  ["cannot filter", store ?? "refs", false],
])(
  "agents in three clones at random, processes killed at random, a remote that %s, store %s: nothing is lost",
  async (_, kind, filter) => {
    const { log, checkpoints, problems } = await runSoak({
      seed,
      steps,
      filter,
      store: kind,
      faults,
      killAnywhere,
    });
    expect({ problems, log: problems.length === 0 ? [] : log }).toEqual({ problems: [], log: [] });
    expect(checkpoints).toBeGreaterThan(0);
  },
  3_600_000,
);
