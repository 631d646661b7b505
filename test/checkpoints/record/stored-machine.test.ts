import fc from "fast-check";
import { expect, test } from "vitest";
import {
  encodeStoredMachine,
  parseStoredMachine,
  type StoredMachine,
} from "../../../src/checkpoints/record/stored-machine.ts";

const machine: StoredMachine = {
  version: 1,
  snapshot: "sn-0123456789ab",
  seal: "a".repeat(64),
  images: ["b".repeat(64), "c".repeat(64)],
  run: "retry",
  directory: "/root/work",
  branch: "feature/login",
  base: "d".repeat(40),
  tool: "claude",
};

test("a machine reads as it was written", () => {
  expect(parseStoredMachine(Object.fromEntries(encodeStoredMachine(machine)))).toEqual(machine);
});

test.each([
  ["version", 2],
  ["snapshot", "sn-../../../etc"],
  ["seal", "a".repeat(63)],
  ["images", ["b".repeat(64), "no digest"]],
  ["images", "b".repeat(64)],
  ["images", Array.from({ length: 10_001 }, () => "b".repeat(64))],
  ["run", "../out"],
  ["run", "-n"],
  ["directory", "root/work"],
  ["directory", "/root/../etc"],
  ["directory", "/root/$(id)"],
  ["branch", "--upload-pack=x"],
  ["branch", "a b"],
  ["base", "HEAD"],
  ["tool", "Claude; id"],
])("a machine whose %s is %j is none", (field, value) => {
  expect(parseStoredMachine({ ...machine, [field]: value })).toBeUndefined();
});

test("any value is a machine or none", () => {
  fc.assert(
    fc.property(fc.anything(), fc.constantFrom(...Object.keys(machine)), (value, field) => {
      const parsed = parseStoredMachine({ ...machine, [field]: value });
      if (parsed !== undefined) expect(parseStoredMachine(parsed)).toEqual(parsed);
      parseStoredMachine(value);
    }),
  );
});
