import { expect, test } from "vitest";
import { isForeignHead } from "../../../src/journal/heads/foreign-head.ts";

const owner = `s_${"1".repeat(14)}`;
const state = { kind: "file", mode: 0o644, digest: "a".repeat(64), sizeBytes: 4, runs: [[1, owner]] };
const head = {
  path: "src/a.ts",
  eventId: "",
  current: state,
  mark: null,
  earlier: [],
  agents: { [owner]: { tool: "claude", id: "x", model: "m" } },
  humans: {},
  evidence: { [owner]: "edit" },
  counters: { [owner]: { generated: 1, overridden: 0 } },
  begun: [],
};

test("what a machine wrote as a head is taken", () => {
  expect(isForeignHead(head)).toBe(true);
  expect(isForeignHead({ ...head, produced: { [owner]: "" } })).toBe(true);
});

test.each<[string, unknown]>([
  ["nothing", null],
  ["a path that leaves the repository", { ...head, path: "../x" }],
  ["an absolute path", { ...head, path: "/etc/passwd" }],
  ["a digest that is none", { ...head, current: { ...state, digest: "../../x" } }],
  ["a run of minus one line", { ...head, current: { ...state, runs: [[-1, owner]] } }],
  ["an owner that is none", { ...head, current: { ...state, runs: [[1, "me"]] } }],
  ["an agent without a name", { ...head, agents: { [owner]: { tool: 1, id: "x", model: "m" } } }],
  ["a mark of files that are elsewhere", { ...head, mark: { mtimeMs: 1 } }],
  ["an open call", { ...head, begun: [{ toolUseId: "t", at: 1 }] }],
  ["evidence of a kind that is none", { ...head, evidence: { [owner]: "said so" } }],
  ["an earlier state that is none", { ...head, earlier: [{}] }],
])("%s is not", (_, value) => {
  expect(isForeignHead(value)).toBe(false);
});
