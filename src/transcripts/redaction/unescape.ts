/** A text with its JSON escapes undone, and where each character came from. */
export interface Unescaped {
  readonly text: string;
  /** `origins[i]` is where character i of `text` starts in the source; one more entry marks the end. */
  readonly origins: readonly number[];
}

const simple: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", b: "\b", f: "\f" };

/**
 * Undoes one level of JSON escapes of a piece of raw JSON. Only characters below U+0100 are decoded, the others keep
 * their escape: a secret holds none, and the source stays one byte a character.
 */
export function unescapeJson(source: string): Unescaped {
  const text: string[] = [];
  const origins: number[] = [];
  for (let at = 0; at < source.length; ) {
    origins.push(at);
    const char = source[at] ?? "";
    if (char !== "\\") {
      text.push(char);
      at += 1;
      continue;
    }
    const next = source[at + 1] ?? "";
    const code = next === "u" ? Number.parseInt(source.slice(at + 2, at + 6), 16) : Number.NaN;
    if (code < 0x100 && /^[0-9a-fA-F]{4}$/.test(source.slice(at + 2, at + 6))) {
      text.push(String.fromCharCode(code));
      at += 6;
    } else if (next !== "" && next !== "u") {
      text.push(simple[next] ?? next);
      at += 2;
    } else {
      text.push(char);
      at += 1;
    }
  }
  origins.push(source.length);
  return { text: text.join(""), origins };
}

/** What can hide a key from plain matching: its characters written as escapes. */
export const hiddenCharacter = /\\u00[2-7]|\\\//;
