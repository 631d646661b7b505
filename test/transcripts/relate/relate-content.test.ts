import { describe, expect, test } from "vitest";
import { relateContent } from "../../../src/transcripts/relate/relate-content.ts";

async function* inPieces(text: string, size: number) {
  for (let at = 0; at < text.length; at += size) yield Buffer.from(text.slice(at, at + size));
}

describe("how one transcript stands to another", () => {
  test.each([
    ["a\nb\n", "a\nb\n", "same"],
    ["a\nb", "a\nb\n\n", "same"],
    ["", "", "same"],
    ["a\nb\nc\n", "a\nb\n", "longer"],
    ["a\n", "a\nb\n", "shorter"],
    ["", "a\n", "shorter"],
    ["a\nb\n", "a\nc\n", "apart"],
    ["a\nb\n", "a\nc\nd\n", "apart"],
    ["a\n\n", "a\nb\n", "shorter"],
    ["ab\n", "a\n", "apart"],
  ] as const)("%j is to %j: %s, however both are cut", async (ours, theirs, expected) => {
    for (const [a, b] of [
      [1, 1],
      [1, 3],
      [2, 100],
      [100, 100],
    ] as const) {
      expect(await relateContent(inPieces(ours, a), inPieces(theirs, b))).toBe(expected);
    }
  });
});
