import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createWordScan } from "../../../src/transcripts/redaction/word-scan.ts";

describe.each([
  ["few bytes", Number.POSITIVE_INFINITY],
  ["many bytes", 0],
])("of %s, a scan", (_, tableFromBytes) => {
  function places(words: readonly string[], text: string): string[] {
    const found: string[] = [];
    const scan = createWordScan(words, tableFromBytes);
    scan(Buffer.from(text, "latin1"), (word, start) => found.push(`${start} ${words[word]}`));
    return found.sort();
  }

  test("finds words within, at the end of and over each other", () => {
    const text = "ushers his";
    expect(places(["he", "she", "his", "hers"], text)).toEqual(["1 she", "2 he", "2 hers", "7 his"]);
  });

  test("finds every place of every word that a search for each alone finds, whatever bytes they have", () => {
    const letters = fc.constantFrom("a", "b", "\\", "\u00ff", "\u0000");
    const texts = (size: fc.StringConstraints) => fc.string({ unit: letters, ...size });
    fc.assert(
      fc.property(
        fc.uniqueArray(texts({ minLength: 2, maxLength: 5 }), { maxLength: 12 }),
        texts({ maxLength: 200 }),
        (words, text) => {
          const alone = words.flatMap((word) =>
            Array.from(text).flatMap((_letter, at) => (text.startsWith(word, at) ? [`${at} ${word}`] : [])),
          );
          expect(places(words, text)).toEqual(alone.sort());
        },
      ),
    );
  });

  test("finds more words than are noted at a time", () => {
    expect(places(["ab"], "ab".repeat(5000))).toHaveLength(5000);
  });
});
