/** One member of an initial RAM disk. Paths are relative; parents come before what they hold. */
export interface CpioEntry {
  readonly path: string;
  /** File type and permission bits, e.g. 0o100755, 0o040755. */
  readonly mode: number;
  readonly content: Uint8Array;
}

/** The "newc" archive that the kernel unpacks (Documentation/driver-api/early-userspace/buffer-format.rst). */
export function encodeCpio(entries: readonly CpioEntry[]): Buffer {
  const parts: Buffer[] = [];
  for (const [index, entry] of [
    ...entries,
    { path: "TRAILER!!!", mode: 0, content: Buffer.alloc(0) },
  ].entries()) {
    const name = Buffer.from(`${entry.path}\0`);
    const links = entry.mode >>> 12 === 0o04 ? 2 : 1;
    const numbers = [index + 1, entry.mode, 0, 0, links, 0, entry.content.length, 0, 0, 0, 0, name.length, 0];
    const head = `070701${numbers.map((number) => number.toString(16).padStart(8, "0")).join("")}`;
    parts.push(padded(Buffer.concat([Buffer.from(head), name])), padded(Buffer.from(entry.content)));
  }
  return Buffer.concat(parts);
}

function padded(bytes: Buffer): Buffer {
  const rest = bytes.length % 4;
  return rest === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(4 - rest)]);
}
