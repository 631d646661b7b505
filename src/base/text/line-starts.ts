const lf = 0x0a;

/** Content up to this is searched as one string: that is quicker in a process that has just begun. */
const maxSearchedBytes = 128 * 1024;

/** Where each line of the content starts, and last where the content ends: one number more than there are lines. */
export function lineStarts(bytes: Buffer): Uint32Array {
  return bytes.length <= maxSearchedBytes ? searchStarts(bytes) : scanStarts(bytes);
}

/** How many lines the content has: one more than it has terminators if the last lacks one. */
export function countLinesOf(bytes: Buffer): number {
  return lineStarts(bytes).length - 1;
}

function searchStarts(bytes: Buffer): Uint32Array {
  const text = bytes.toString("latin1");
  const starts: number[] = [];
  for (let start = 0; start < text.length; ) {
    starts.push(start);
    const end = text.indexOf("\n", start);
    start = end === -1 ? text.length : end + 1;
  }
  starts.push(text.length);
  return Uint32Array.from(starts);
}

function scanStarts(bytes: Buffer): Uint32Array {
  let count = 0;
  for (let at = 0; at < bytes.length; at += 1) if (bytes[at] === lf) count += 1;
  if (bytes.length > 0 && bytes[bytes.length - 1] !== lf) count += 1;
  const starts = new Uint32Array(count + 1);
  let line = 1;
  for (let at = 0; at < bytes.length && line < count; at += 1) if (bytes[at] === lf) starts[line++] = at + 1;
  starts[count] = bytes.length;
  return starts;
}
