import { asBuffer } from "../../base/bytes.ts";
import { lineStarts } from "../../base/text/line-starts.ts";

/** Content as lines, comparable by number: equal lines of one interner have equal numbers. */
export interface ContentLines {
  readonly bytes: Buffer;
  /** Where each line starts, and last where the content ends. */
  readonly starts: Uint32Array;
  readonly count: number;
  /** One number a line; given out when they are first asked for. */
  readonly ids: Uint32Array;
  /** A line with its terminator, sharing memory with the content; empty beyond the last. */
  line(index: number): Buffer;
  /** Lines `from` to before `to` as a content of its own, sharing memory; its numbers are of the same interner. */
  slice(from: number, to: number): ContentLines;
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
      const bytes = asBuffer(content);
      return new InternedLines(bytes, lineStarts(bytes), numbers);
    },
  };
}

class InternedLines implements ContentLines {
  readonly bytes: Buffer;
  readonly starts: Uint32Array;
  readonly count: number;
  readonly #numbers: Map<string, number>;
  #ids: Uint32Array | undefined;

  constructor(bytes: Buffer, starts: Uint32Array, numbers: Map<string, number>) {
    this.bytes = bytes;
    this.starts = starts;
    this.count = starts.length - 1;
    this.#numbers = numbers;
  }

  get ids(): Uint32Array {
    this.#ids ??= this.#number();
    return this.#ids;
  }

  line(index: number): Buffer {
    const end = this.starts[this.count];
    return this.bytes.subarray(this.starts[index] ?? end, this.starts[index + 1] ?? end);
  }

  slice(from: number, to: number): ContentLines {
    return new InternedLines(this.bytes, this.starts.subarray(from, to + 1), this.#numbers);
  }

  #number(): Uint32Array {
    const { starts, count } = this;
    const ids = new Uint32Array(count);
    for (let from = 0; from < count; from += linesPerPiece) {
      const to = Math.min(from + linesPerPiece, count);
      const origin = starts[from] ?? 0;
      // a string of many lines, cut by its own search: a Buffer for each line takes several times as long in a hook
      const text = this.bytes.toString("latin1", origin, starts[to]);
      for (let index = from; index < to; index += 1) {
        const start = (starts[index] ?? 0) - origin;
        const next = (starts[index + 1] ?? 0) - origin;
        ids[index] = this.#numberOf(text, start, next);
      }
    }
    return ids;
  }

  #numberOf(text: string, start: number, next: number): number {
    const isCrLf =
      next - start > 1 && text.charCodeAt(next - 2) === carriageReturn && text.endsWith("\n", next);
    const key = isCrLf ? `${text.slice(start, next - 2)}\n` : text.slice(start, next);
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const id = this.#numbers.size;
    this.#numbers.set(key, id);
    return id;
  }
}

const linesPerPiece = 4096;
const carriageReturn = 0x0d;
