import { expect, test } from "vitest";
import { faultPointsInSource } from "../support/fault-points.ts";
import { runSoak } from "../support/soak-world.ts";

// `npm run soak` runs for long and from another seed each time; here a short run from a fixed one
const steps = Number(process.env["KEYFRAME_SOAK_STEPS"] ?? 12);
const seed = Number(process.env["KEYFRAME_SOAK_SEED"] ?? 17);
const faults = faultPointsInSource(
  "capture:",
  "checkpoints:",
  "build-checkpoint:",
  "fetch:",
  "journal:",
  "notes:",
  "push:",
  "settle:",
);

test.each([
  ["can filter", true],
  ["cannot filter", false],
])(
  "agents in three clones at random, processes killed at random, a remote that %s: nothing is lost",
  async (_, filter) => {
    const { log, checkpoints, problems } = await runSoak({ seed, steps, filter, faults });
    expect({ problems, log: problems.length === 0 ? [] : log }).toEqual({ problems: [], log: [] });
    expect(checkpoints).toBeGreaterThan(0);
  },
  3_600_000,
);
