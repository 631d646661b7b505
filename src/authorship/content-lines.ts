import { splitLines } from "../base/lines.ts";

/** Content as lines, comparable by number: equal lines of one interner have equal numbers. */
export interface ContentLines {
  readonly lines: readonly Buffer[];
  readonly ids: Uint32Array;
}

export interface LineInterner {
  intern(content: Uint8Array): ContentLines;
}

/**
 * Numbers lines by their bytes. A line that ends in CR LF equals the same line ending in LF: converting line ends is
 * nobody's edit. A last line without a terminator differs from the same line with one, as it does for git.
 */
export function createLineInterner(): LineInterner {
  const numbers = new Map<string, number>();
  return {
    intern(content) {
      const lines = splitLines(content);
      const ids = new Uint32Array(lines.length);
      lines.forEach((line, index) => {
        const key = lineKey(line);
        let id = numbers.get(key);
        if (id === undefined) {
          id = numbers.size;
          numbers.set(key, id);
        }
        ids[index] = id;
      });
      return { lines, ids };
    },
  };
}

function lineKey(line: Buffer): string {
  const end = line.length;
  const isCrLf = end >= 2 && line[end - 1] === 0x0a && line[end - 2] === 0x0d;
  return isCrLf ? `${line.toString("latin1", 0, end - 2)}\n` : line.toString("latin1");
}
