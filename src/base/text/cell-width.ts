import { stripVTControlCharacters } from "node:util";
import { eastAsianWidth } from "get-east-asian-width";

/**
 * How many terminal cells a text takes, colours not counted: wide characters (East Asian, emoji) two, combining and invisible ones none.
 * Plain ASCII costs one pass, and nothing is prepared at start-up, because every command loads this: `string-width`, which
 * the tests compare it with, prepares its patterns for tens of milliseconds.
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
    // variation selector 16 asks for the emoji form, and two regional indicators are a flag: both are wide
    if (width > 0 && (point === 0xfe0f || regionalIndicator.test(char))) return 2;
    width = Math.max(width, invisible.test(char) ? 0 : eastAsianWidth(point));
  }
  return width;
}

const regionalIndicator = /\p{Regional_Indicator}/u;
const invisible = /[\p{Mn}\p{Me}\p{Cf}\p{Cc}]/u;
