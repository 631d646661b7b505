import { createTableScan, type WordScan } from "./word-table.ts";

/** What a turn adds is seldom more. */
const fewBytes = 512 * 1024;

/**
 * Finds all of many words, within and over each other. Words are different, and of at least two characters below U+0100,
 * one a byte. Few bytes are not worth a table: a hook looks at one turn and ends.
 */
export function createWordScan(words: readonly string[], tableFromBytes = fewBytes): WordScan {
  let seenBytes = 0;
  let scanFew: WordScan | undefined;
  let scanMany: WordScan | undefined;
  return (bytes, onWord) => {
    seenBytes += bytes.length;
    if (seenBytes < tableFromBytes) scanFew ??= createPatternScan(words);
    else scanMany ??= createTableScan(words);
    (scanMany ?? scanFew)?.(bytes, onWord);
  };
}

const headLength = 2;

function createPatternScan(words: readonly string[]): WordScan {
  const pattern = new RegExp(words.map(escapePattern).join("|") || "(?!)", "g");
  const byHead = new Map<string, number[]>(words.map((word) => [word.slice(0, headLength), []]));
  for (const [index, word] of words.entries()) byHead.get(word.slice(0, headLength))?.push(index);
  return (bytes, onWord) => {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
    pattern.lastIndex = 0;
    for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
      const { index: start } = match;
      for (const word of byHead.get(text.slice(start, start + headLength)) ?? []) {
        if (text.startsWith(words[word] ?? "", start)) onWord(word, start);
      }
      pattern.lastIndex = start + 1;
    }
  };
}

function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&");
}
