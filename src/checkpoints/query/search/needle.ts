/** Finds lines that may hold a word, in JSON that anybody may have encoded. */
export interface Needle {
  /** `lower`: lines in lower case. False only where nothing in them says the word. */
  mayBeIn(lower: string): boolean;
}

/**
 * Encoders differ in what they escape and in the spaces between members, and a member's value may be JSON itself. What
 * all of them write as it is are letters, digits and `_`, so runs of these are looked for, and the lines that have them all are parsed.
 */
export function createNeedle(word: string): Needle {
  const lower = word.toLowerCase();
  const runs = lower.match(/[a-z0-9_]+/g) ?? [];
  if (runs.length > 0) return { mayBeIn: (line) => runs.every((run) => line.includes(run)) };
  // nothing but what may be escaped: as it is, or somehow
  return {
    mayBeIn: (line) => line.includes(lower) || line.includes("\\") || /[^\p{L}\p{M}\p{N}]/u.test(lower),
  };
}
