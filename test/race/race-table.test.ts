// Covers src/race/race-table.ts: what is said of a lane beside the base.
import { expect, test } from "vitest";
import type { CheckResult } from "../../src/race/checks/check.ts";
import type { LaneState, LaneStatus, RaceRecord } from "../../src/race/race-record.ts";
import { hasPassed, raceRows } from "../../src/race/race-table.ts";

const check = { kind: "junit", text: "r.xml" } as const;
const race = { lanes: [{ name: "a", command: "x" }], checks: [check] } as unknown as RaceRecord;
const result = (tests: CheckResult["tests"], passed: boolean): CheckResult => ({
  ...check,
  passed,
  ...(tests && { tests }),
});
const lane = (
  state: LaneState,
  checks: readonly CheckResult[],
  more: Partial<LaneStatus> = {},
): LaneStatus => ({
  version: 1,
  name: "a",
  state,
  checks,
  ...more,
});
const base = lane("done", [result({ one: "failed", two: "passed" }, false)]);

test("a lane that was stopped before its checks has neither removed nor broken a test", () => {
  const [row] = raceRows(race, base, [lane("stopped", [])]);
  expect(row?.tests).toMatchObject({ removed: [], broken: [], fixed: [] });
  const [checked] = raceRows(race, base, [lane("done", [result({ one: "passed" }, true)])]);
  expect(checked?.tests).toMatchObject({ removed: ["two"], fixed: ["one"] });
});

test("a lane passes that changed something, ended by itself and passed every check", () => {
  const commit = { commit: "1".repeat(40) } as Partial<LaneStatus>;
  const passes = (status: LaneStatus) => hasPassed(raceRows(race, base, [status]));
  expect(passes(lane("done", [result({}, true)], commit))).toBe(true);
  expect(passes(lane("done", [result({}, true)]))).toBe(false);
  expect(passes(lane("over-limit", [result({}, true)], commit))).toBe(false);
  expect(passes(lane("done", [result({}, false)], commit))).toBe(false);
});
