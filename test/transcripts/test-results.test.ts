import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { testsInOutput, testsInRecord } from "../../src/transcripts/scan/test-results.ts";

describe("the end of what a runner printed tells how many tests passed, failed and were skipped", () => {
  test.each([
    [
      "vitest",
      "\u001b[2m Test Files \u001b[22m 1 failed | 2 passed (3)\n      Tests  1 failed | 40 passed | 2 skipped (43)\n",
      40,
      1,
      2,
    ],
    [
      "jest",
      "Test Suites: 1 passed, 1 total\nTests:       1 failed, 2 skipped, 7 passed, 10 total\n",
      7,
      1,
      2,
    ],
    ["pytest", "===== 1 failed, 3 passed, 1 skipped in 0.12s =====\n", 3, 1, 1],
    ["pytest -q", "....\n4 passed in 0.01s\n", 4, 0, 0],
    [
      "cargo, two crates",
      "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured\ntest result: FAILED. 1 passed; 2 failed; 0 ignored\n",
      4,
      2,
      1,
    ],
    ["go", "ok  \texample.com/a\t0.01s\nFAIL\texample.com/b\t0.02s\nFAIL\n", 1, 1, 0],
    ["node", "# tests 3\n# pass 2\n# fail 1\n# skipped 0\n", 2, 1, 0],
    ["mocha", "  5 passing (20ms)\n  1 failing\n", 5, 1, 0],
    ["rspec", "3 examples, 1 failure\n", 2, 1, 0],
    ["JUnit", "[ERROR] Tests run: 5, Failures: 1, Errors: 1, Skipped: 1\n", 2, 2, 1],
    ["a report of JUnit", '<testsuite name="a" tests="4" failures="1" errors="0" skipped="1">\n', 2, 1, 1],
  ])("%s", (_runner, text, passed, failed, skipped) => {
    expect(testsInOutput(text)).toEqual({ passed, failed, skipped });
  });
});

test.each(["", "3 passed the exam", "I ran them: 5 passed", "ok then", "Tests are in test/"])(
  "%j is no result of tests",
  (text) => expect(testsInOutput(text)).toBeUndefined(),
);

const printed = "4 passed in 0.01s\n";

test.each([
  ["Claude Code", { type: "user", message: { content: [{ type: "tool_result", content: printed }] } }],
  [
    "Claude Code, in parts",
    { message: { content: [{ type: "tool_result", content: [{ type: "text", text: printed }] }] } },
  ],
  ["Codex", { type: "response_item", payload: { type: "function_call_output", output: printed } }],
  ["Qwen and others", { role: "tool", content: printed }],
])("a result is seen in what a tool of %s printed", (_agent, record) => {
  expect(testsInRecord(record)).toEqual({ passed: 4, failed: 0, skipped: 0 });
});

test("what the agent or its user says is not a result", () => {
  expect(testsInRecord({ type: "user", message: { content: printed } })).toBeUndefined();
  expect(
    testsInRecord({ message: { role: "assistant", content: [{ type: "text", text: printed }] } }),
  ).toBeUndefined();
});

test("any value has results or none", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.anything()), fc.string(), (record, text) => {
      testsInRecord(record);
      testsInOutput(text);
    }),
  );
});
