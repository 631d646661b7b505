/**
 * Lines, each with its newline, that may hold all words in any case, in JSON that anybody may have encoded: none that
 * does is left out, and who takes them has to look. Encoders differ in what they escape and in the spaces between members,
 * and a member's value may be JSON itself; what all of them write as it is are ASCII letters, digits and `_`. So runs of these are
 * looked for, in bytes that need not be decoded; a word without any may be in every line.
 */
export function linesWith(body: Buffer, words: readonly string[]): Buffer[] {
  const runs = words.flatMap((word) => word.toLowerCase().match(/[a-z0-9_]+/g) ?? []);
  // the longest is the rarest
  const [rarest, ...others] = [...new Set(runs)].sort((a, b) => b.length - a.length);
  const found: Buffer[] = [];
  for (const { start, lower } of slices(body)) {
    for (let from = 0; from < lower.length; ) {
      const at = rarest === undefined ? from : lower.indexOf(rarest, from);
      if (at === -1) break;
      const lineStart = lower.lastIndexOf("\n", at - 1) + 1;
      const lineEnd = lower.indexOf("\n", at) + 1 || lower.length;
      from = lineEnd;
      const line = lower.slice(lineStart, lineEnd);
      if (others.every((run) => line.includes(run)))
        found.push(body.subarray(start + lineStart, start + lineEnd));
    }
  }
  return found;
}

const sliceBytes = 1024 * 1024;

/** Whole lines in lower case, one character a byte, so that a place in them is a place in the body. */
function* slices(body: Buffer): Generator<{ readonly start: number; readonly lower: string }> {
  for (let start = 0; start < body.length; ) {
    const lineEnd = body.indexOf(0x0a, Math.min(start + sliceBytes, body.length) - 1);
    const end = lineEnd === -1 ? body.length : lineEnd + 1;
    yield { start, lower: body.toString("latin1", start, end).toLowerCase() };
    start = end;
  }
}
