// Covers src/base/text/**.
import { describe, expect, test } from "vitest";
import { cleanJson, cleanLine, cleanOutput, cleanText } from "../../../src/base/text/clean-text.ts";

describe("text that others wrote", () => {
  test.each([
    ["plain ASCII", "a b\tc", "a b\tc"],
    ["other scripts", "Zoë 日本語 עברית", "Zoë 日本語 עברית"],
    ["an emoji family and a flag", "👩‍💻 👩🏽‍🚀 ❤️‍🔥 🇨🇭", "👩‍💻 👩🏽‍🚀 ❤️‍🔥 🇨🇭"],
    ["Persian with its joiner", "می‌خواهم", "می‌خواهم"],
    ["colours and moves", "\u001b[31mred\u001b[2J\u001b[1;1Hx", "redx"],
    ["a title", "\u001b]0;owned\u0007x", "x"],
    ["a link", "\u001b]8;;http://evil\u001b\\text\u001b]8;;\u001b\\", "text"],
    ["eight-bit controls", "a\u009b31mb", "ab"],
    ["a bell and a backspace", "a\u0007\bb", "a\ufffd\ufffdb"],
    ["a carriage return", "safe\rEVIL", "safe\ufffdEVIL"],
    ["text turned round", "a\u202egnp.exe", "a\ufffdgnp.exe"],
    ["isolates", "\u2066a\u2069", "\ufffda\ufffd"],
    ["marks of no width", "pay\u200bpal\ufeff \u2060\u00ad", "pay\ufffdpal\ufffd \ufffd\ufffd"],
    ["a joiner between letters", "pay\u200dpal", "pay\ufffdpal"],
    ["hidden tags", "a\u{e0041}\u{e0042}", "a\ufffd\ufffd"],
    ["a line separator", "a\u2028b", "a\ufffdb"],
  ])("%s", (_name, text, expected) => {
    expect(cleanText(text)).toBe(expected);
  });

  test("keeps its lines where it may have some, and stays on one line where not", () => {
    expect(cleanText("a\nb\r\nc")).toBe("a\nb\nc");
    expect(cleanLine("name\nCommit: forged\r\n")).toBe("name↵Commit: forged↵");
  });

  test("output keeps our colours and nothing else that begins with an escape", () => {
    const text = "\u001b[1mbold\u001b[22m \u001b[8mhidden\u001b[0m \u001b[2Jx\u202e";
    expect(cleanOutput(text, { styled: true })).toBe("\u001b[1mbold\u001b[22m hidden\u001b[0m x\ufffd");
    expect(cleanOutput(text, { styled: false })).toBe("bold hidden x\ufffd");
  });

  test("JSON stays the same document", () => {
    const value = { name: "a\u202eb\u200b\u009b\u2028", plain: "é" };
    const shown = cleanJson(JSON.stringify(value));
    expect(shown).toContain("\\u202e");
    expect(JSON.parse(shown)).toEqual(value);
  });
});
