import { stripVTControlCharacters } from "node:util";

/**
 * Text that others wrote, made safe to show in several lines: what could drive the terminal, turn the order of letters
 * round or hide between them becomes a visible mark. Only newlines and tabs stay as they are.
 */
export function cleanText(text: string): string {
  if (plain.test(text)) return text;
  return stripVTControlCharacters(text).replace(/\r\n/g, "\n").replace(hidden, mark);
}

/** Text that escapes control characters itself, such as JSON, with marks for what turns round or hides others. */
export function markHidden(text: string): string {
  return plain.test(text) ? text : text.replace(hidden, mark);
}

/** The same for a model, which reads what a person would not see: without a trace of it. */
export function dropHidden(text: string): string {
  return plain.test(text) ? text : stripVTControlCharacters(text).replace(hidden, "");
}

/** The same on one line: a name cannot pretend to be the next line of a report. */
export function cleanLine(text: string): string {
  return cleanText(text).replace(/\n/g, "\u21b5");
}

/**
 * The last look at what a command prints, whoever forgot to clean a part of it. `styled`: our own colours stay, and no other
 * sequence does.
 */
export function cleanOutput(text: string, { styled }: { readonly styled: boolean }): string {
  if (plain.test(text)) return text;
  if (!styled || !text.includes("\u001b")) return cleanText(text);
  return text
    .split(ownStyles)
    .map((piece, index) => (index % 2 === 1 ? piece : cleanText(piece)))
    .join("");
}

/** JSON whose strings show what they hold: the same document to a parser. */
export function cleanJson(json: string): string {
  return plain.test(json)
    ? json
    : json.replace(
        /[\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
        (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
      );
}

const mark = "\ufffd";

/** Most text: nothing to look at closer. */
const plain = /^[\t\n\x20-\x7e]*$/;

/**
 * Control characters; bidirectional marks, overrides and isolates; what has no width. A joiner between two emoji or
 * between letters of scripts that need it is part of them.
 */
const hidden =
  /(?!\n|\t)[\p{Cc}\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0001}\u{e0020}-\u{e007f}]|(?<!\p{Extended_Pictographic}|\ufe0f|[\u{1f3fb}-\u{1f3ff}])(?<![\u0600-\u0eff])[\u200c\u200d]/gu;

/** Bold, dim, underline, reverse and plain colours: what `style` and git write. Nothing that hides or moves. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is what is looked for
const ownStyles = /(\u001b\[(?:(?:0|1|2|4|7|22|24|27|3[1-6]|39|9[0-6])(?:;(?:1|2|4|3[1-6]))?)?m)/;
