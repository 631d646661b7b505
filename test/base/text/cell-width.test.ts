import stringWidth from "string-width";
import { expect, test } from "vitest";
import { cellWidth } from "../../../src/base/text/cell-width.ts";

test.each([
  "",
  "plain",
  "Müller",
  "e\u0301clair",
  "日本語",
  "ｆｕｌｌ",
  "한국어",
  "🎉 done",
  "👩‍👩‍👧‍👦",
  "🇩🇪",
  "❤️",
  "a\u200bb",
  "✓ ok",
  "█░·",
  "שלום",
  "ไทย",
])("%j takes as many cells as an independent implementation says", (text) =>
  expect(cellWidth(text)).toBe(stringWidth(text)),
);
