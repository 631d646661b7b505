import { asBuffer } from "../../base/bytes.ts";

/** Content as lines, comparable by number: equal lines of one interner have equal numbers. */
export interface ContentLines {
  /** One number a line. */
  readonly ids: Uint32Array;
  /** A line with its terminator, sharing memory with the content; empty beyond the last. */
  line(index: number): Buffer;
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
      const buffer = asBuffer(content);
      // one string, cut by its own search: a Buffer for each line takes several times as long in a hook
      const text = buffer.toString("latin1");
      const ids: number[] = [];
      const starts: number[] = [];
      for (let start = 0; start < text.length; ) {
        const end = text.indexOf("\n", start);
        const next = end === -1 ? text.length : end + 1;
        const isCrLf = end > start && text.charCodeAt(end - 1) === carriageReturn;
        const key = isCrLf ? `${text.slice(start, end - 1)}\n` : text.slice(start, next);
        let id = numbers.get(key);
        if (id === undefined) {
          id = numbers.size;
          numbers.set(key, id);
        }
        ids.push(id);
        starts.push(start);
        start = next;
      }
      return {
        ids: Uint32Array.from(ids),
        line: (index) => buffer.subarray(starts[index] ?? buffer.length, starts[index + 1] ?? buffer.length),
      };
    },
  };
}

const carriageReturn = 0x0d;
