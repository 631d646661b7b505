/** A token of a line; blanks and line ends are no tokens. */
export interface Token {
  readonly text: string;
  /** 0-based line in the region that was cut. */
  readonly line: number;
}

// Words and numbers (any byte above ASCII counts as a letter, so every encoding works), or one other visible byte.
const tokenPattern = /[A-Za-z0-9_$\u0080-\u00ff]+|\S/g;

/**
 * Cuts lines into tokens. Text is compared byte by byte (latin1), so the encoding does not matter.
 */
export function tokenize(lines: readonly Buffer[]): Token[] {
  const tokens: Token[] = [];
  lines.forEach((line, index) => {
    for (const match of line.toString("latin1").matchAll(tokenPattern))
      tokens.push({ text: match[0], line: index });
  });
  return tokens;
}

/** True for a line without any token: only blanks. */
export function isBlank(line: Buffer): boolean {
  for (const byte of line) if (byte !== 0x20 && (byte < 0x09 || byte > 0x0d)) return false;
  return true;
}

/** True for a line with a word or number: a brace or a comma is in every file and tells nothing about where it is from. */
export function isSolid(line: Buffer): boolean {
  return /[A-Za-z0-9\u0080-\u00ff]/.test(line.toString("latin1"));
}
