// Covers src/checkpoints/record/**.
import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  addCheckpointTrailers,
  isOnlyTrailers,
  messageCheckpoints,
  removeOwnTrailers,
} from "../../../src/checkpoints/record/commit-message.ts";
import { parseCheckpointId } from "../../../src/checkpoints/record/ids.ts";

const id = parseCheckpointId("0123456789ab");
const trailer = `Entire-Checkpoint: ${id}`;
const add = (message: string, comment?: string, hints: readonly string[] = []) =>
  addCheckpointTrailers(message, { ids: [id], style: { comment }, hints });

test.each([
  ["fix: thing\n", `fix: thing\n\n${trailer}\n`],
  ["fix: thing", `fix: thing\n\n${trailer}\n`],
  ["subject\n\nbody text\n", `subject\n\nbody text\n\n${trailer}\n`],
  ["subject\n\nSigned-off-by: A <a@b>\n", `subject\n\nSigned-off-by: A <a@b>\n${trailer}\n`],
  ["subject\n\nsee: this, and\nthat is prose\n", `subject\n\nsee: this, and\nthat is prose\n\n${trailer}\n`],
  ["subject\n\n#12 is fixed\n", `subject\n\n#12 is fixed\n\n${trailer}\n`],
  [`subject\n\n${trailer}\n`, `subject\n\n${trailer}\n`],
])("%j becomes %j where every line is kept", (message, expected) => {
  expect(add(message)).toBe(expected);
});

test.each([
  ["\n# Please enter\n", `\n\n${trailer}\n\n# hint\n# Please enter\n`],
  [
    "subject\n\n# Please\n#\n# On branch x\n",
    `subject\n\n${trailer}\n\n# hint\n# Please\n#\n# On branch x\n`,
  ],
  [
    "subject\n# ------------------------ >8 ------------------------\n# no\ndiff --git a/x b/x\n+y: z\n",
    `subject\n\n${trailer}\n\n# hint\n# ------------------------ >8 ------------------------\n# no\ndiff --git a/x b/x\n+y: z\n`,
  ],
])("%j becomes %j where comments are taken out", (message, expected) => {
  expect(add(message, "#", ["hint"])).toBe(expected);
});

test("a message of nothing but a checkpoint trailer is told from one that somebody wrote", () => {
  expect(isOnlyTrailers(add("\n# Please\n", "#"), { comment: "#" })).toBe(true);
  expect(isOnlyTrailers("", { comment: "#" })).toBe(false);
  expect(isOnlyTrailers(add("x\n"), { comment: "#" })).toBe(false);
  expect(removeOwnTrailers(add("\n# Please\n", "#")).includes("Entire")).toBe(false);
});

test("whatever the message, git's own trailer parser finds the trailer, and the subject stays", () => {
  const line = fc.oneof(
    fc.constantFrom(
      "",
      "fix: a",
      "Signed-off-by: A <a@b>",
      "prose, and more",
      "Key: v",
      " folded",
      "(cherry picked from commit 1)",
      "a",
      "#1",
      "---",
      "x:y",
    ),
    fc.string({ maxLength: 12 }).map((text) => text.replace(/[\r\n\0]/g, "")),
  );
  fc.assert(
    fc.property(fc.array(line, { minLength: 1, maxLength: 8 }), (lines) => {
      const message = `subject\n${lines.join("\n")}\n`;
      const next = add(message);
      const found = execFileSync("git", ["interpret-trailers", "--parse", "--no-divider"], {
        input: next,
        encoding: "utf8",
        env: { PATH: process.env["PATH"], GIT_CONFIG_NOSYSTEM: "1", HOME: "/nonexistent" },
      });
      // git itself takes lines that begin with "#" for comments here
      expect(found.split("\n").filter((text) => text === trailer)).toHaveLength(1);
      expect(messageCheckpoints(next, { comment: undefined })).toEqual([id]);
      expect(next.split("\n")[0]).toBe("subject");
    }),
    { numRuns: 150 },
  );
});
