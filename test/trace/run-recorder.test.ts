import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { nodeFiles } from "../../src/system/files/files.ts";
import { nodeMachine } from "../../src/system/machine/machine.ts";
import { createRunRecorder } from "../../src/trace/run-recorder.ts";
import { readTraces } from "../../src/trace/trace-log.ts";
import { scratchFolder } from "../support/scratch.ts";

/** How many of 50 runs are recorded; `elapsedMs` is how long the process has run, in Node's own count. */
function recorded(name: string, state: "done" | "failed", { env = {}, elapsedMs = 50 } = {}): number {
  const commonDir = scratchFolder();
  mkdirSync(join(commonDir, "keyframe"));
  const repository = { commonDir, gitDir: commonDir, workTree: undefined };
  const uptime = process.uptime.bind(process);
  process.uptime = () => elapsedMs / 1000;
  try {
    for (let at = 0; at < 50; at += 1) {
      const clock = { ...nodeMachine.clock, nowMs: () => 1_000_000 + at };
      const recorder = createRunRecorder({ ...nodeMachine, clock }, env);
      recorder.setPlace(repository);
      recorder.setName(name);
      recorder.close(state);
    }
  } finally {
    process.uptime = uptime;
  }
  return readTraces(repository, nodeFiles).length;
}

test("of hooks that were quick and ended well one in ten is recorded", () => {
  expect(recorded("hook claude", "done")).toBe(5);
});

test("commands, failed hooks, slow hooks, and all where it is asked for, are recorded each", () => {
  expect(recorded("list", "done")).toBe(50);
  expect(recorded("hook claude", "failed")).toBe(50);
  expect(recorded("hook claude", "done", { elapsedMs: 251 })).toBe(50);
  expect(recorded("hook claude", "done", { env: { KEYFRAME_TRACE: "all" } })).toBe(50);
});
