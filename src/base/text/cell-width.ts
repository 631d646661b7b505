import { stripVTControlCharacters } from "node:util";

/**
 * How many terminal cells a text takes, colours not counted: wide characters (East Asian, emoji) two, combining and invisible ones none.
 * Plain ASCII costs one pass; nothing is prepared at start-up, because hooks and short commands load this too.
 */
export function cellWidth(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  if (text.includes("\u001b")) return cellWidth(stripVTControlCharacters(text).replaceAll("\u001b", ""));
  segmenter ??= new Intl.Segmenter();
  let width = 0;
  for (const { segment } of segmenter.segment(text)) width += clusterWidth(segment);
  return width;
}

let segmenter: Intl.Segmenter | undefined;

/** What a terminal draws as one unit is as wide as its widest part. */
function clusterWidth(cluster: string): number {
  let width = 0;
  for (const char of cluster) {
    const point = char.codePointAt(0) ?? 0;
    // variation selector 16 asks for the emoji form, which is wide
    if (point === 0xfe0f && width > 0) return 2;
    width = Math.max(width, invisible.test(char) ? 0 : isWide(point) ? 2 : 1);
  }
  return width;
}

const invisible = /[\p{Mn}\p{Me}\p{Cf}\p{Cc}]/u;

/** First and last code points of blocks that terminals draw two cells wide (Unicode EastAsianWidth W and F). */
const wideBlocks: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x231a, 0x231b],
  [0x23e9, 0x23ec],
  [0x2e80, 0x303e],
  [0x3041, 0x4dbf],
  [0x4e00, 0xa4cf],
  [0xa960, 0xa97c],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff01, 0xff60],
  [0xffe0, 0xffe6],
  [0x17000, 0x18cff],
  [0x1b000, 0x1b2ff],
  [0x1f1e6, 0x1f202],
  [0x1f210, 0x1f265],
  [0x1f300, 0x1f320],
  [0x1f32d, 0x1f335],
  [0x1f337, 0x1f37c],
  [0x1f37e, 0x1f393],
  [0x1f3a0, 0x1f3ca],
  [0x1f3e0, 0x1f3f0],
  [0x1f3f8, 0x1f43e],
  [0x1f442, 0x1f4fc],
  [0x1f4ff, 0x1f53d],
  [0x1f5fb, 0x1f64f],
  [0x1f680, 0x1f6c5],
  [0x1f6eb, 0x1f6ec],
  [0x1f6f4, 0x1f6fc],
  [0x1f7e0, 0x1f7eb],
  [0x1f90c, 0x1f9ff],
  [0x1fa70, 0x1faff],
  [0x20000, 0x3fffd],
];

function isWide(point: number): boolean {
  if (point < 0x1100) return false;
  return wideBlocks.some(([first, last]) => first <= point && point <= last);
}
