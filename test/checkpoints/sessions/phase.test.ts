import { expect, test } from "vitest";
import {
  nextPhase,
  parsePhase,
  type SessionAction,
  type SessionPhase,
  type SessionSignal,
} from "../../../src/checkpoints/sessions/phase.ts";

type Row = readonly [SessionPhase, SessionSignal, SessionPhase, readonly SessionAction[]];

const rows: readonly Row[] = [
  ["idle", "turn-start", "active", ["touch"]],
  ["idle", "turn-end", "idle", []],
  ["idle", "git-commit", "idle", ["build-checkpoint", "touch"]],
  ["idle", "git-commit-in-sequence", "idle", []],
  ["idle", "session-start", "idle", []],
  ["idle", "session-stop", "ended", ["set-ended-at", "touch"]],
  ["active", "turn-start", "active", ["touch"]],
  ["active", "turn-end", "idle", ["touch"]],
  ["active", "git-commit", "active", ["build-checkpoint", "touch"]],
  ["active", "git-commit-in-sequence", "active", []],
  ["active", "session-start", "active", ["warn-stale"]],
  ["active", "session-stop", "ended", ["set-ended-at", "touch"]],
  ["ended", "turn-start", "active", ["clear-ended-at", "touch"]],
  ["ended", "turn-end", "ended", []],
  ["ended", "git-commit", "ended", ["discard-if-no-files", "touch"]],
  ["ended", "git-commit-in-sequence", "ended", []],
  ["ended", "session-start", "idle", ["clear-ended-at"]],
  ["ended", "session-stop", "ended", []],
];

test.each(rows)("%s on %s becomes %s with %j", (phase, signal, next, actions) => {
  expect(nextPhase(phase, signal)).toEqual({ phase: next, actions });
});

test("an ended session with files that are not committed is stored with the commit that has them", () => {
  expect(nextPhase("ended", "git-commit", { hasFiles: true })).toEqual({
    phase: "ended",
    actions: ["build-checkpoint-if-files-touched", "touch"],
  });
});

test("phases of every version are read", () => {
  expect(["active", "active_committed", "idle", "ended", "", "odd", undefined, 7].map(parsePhase)).toEqual([
    "active",
    "active",
    "idle",
    "ended",
    "idle",
    "idle",
    "idle",
    "idle",
  ]);
});
