import { expect, test } from "vitest";
import type { RunMoment } from "../../../src/timeline/machines/machine-run.ts";
import { planLetGo } from "../../../src/workflows/machine/keep-machines.ts";

const hourMs = 60 * 60_000;
const nowMs = Date.parse("2026-01-02T00:00:00Z");
const moment = (hoursAgo: number, sizeBytes = 10): RunMoment => ({
  commit: `c${hoursAgo}`,
  snapshot: `sn-${hoursAgo}`,
  at: new Date(nowMs - hoursAgo * hourMs).toISOString(),
  sizeBytes,
});
const policy = { count: 3, ageMs: 24 * hourMs, bytes: 100 };
const gone = (moments: readonly RunMoment[]) => planLetGo(moments, policy, nowMs).map(({ commit }) => commit);

test.each<[string, readonly RunMoment[], readonly string[]]>([
  ["nothing is let go within the bounds", [moment(3), moment(2), moment(1)], []],
  ["the oldest go beyond the count", [moment(5), moment(4), moment(3), moment(2), moment(1)], ["c5", "c4"]],
  ["what is too old goes", [moment(30), moment(1)], ["c30"]],
  ["what is beyond the bytes goes", [moment(3, 60), moment(2, 60), moment(1, 30)], ["c3"]],
  ["the newest stays, however old and large", [moment(1000, 1000)], []],
  [
    "moments without a machine do not count",
    [moment(4), { commit: "x", at: "2026-01-01T00:00:00Z" }, moment(2), moment(1)],
    [],
  ],
  [
    "of one moment the last machine stays, and counts once",
    [
      moment(3),
      { ...moment(2), snapshot: "sn-2a" },
      { ...moment(2), snapshot: "sn-2b" },
      moment(2),
      moment(1),
    ],
    ["c2", "c2"],
  ],
])("%s", (_, moments, expected) => {
  expect(gone(moments)).toEqual(expected);
});
