/**
 * How one transcript stands to another by content: `same`, `longer` (it begins with all of the other), `shorter` (the
 * other begins with all of it), or `apart` (both have something that the other lacks).
 */
export type Relation = "same" | "longer" | "shorter" | "apart";

/** Compares two streams without holding either. Line ends behind the last line say nothing. */
export async function relateContent(
  ours: AsyncIterable<Uint8Array>,
  theirs: AsyncIterable<Uint8Array>,
): Promise<Relation> {
  const a = openPieces(ours);
  const b = openPieces(theirs);
  try {
    const isAtLineEnd = await skipCommon(a, b);
    const [left, right] = [await a.peek(), await b.peek()];
    const [leftEnds, rightEnds] = [await a.isBlank(), await b.isBlank()];
    if (leftEnds && rightEnds) return "same";
    // a line that only one of them goes on with is not the same line
    if (!isAtLineEnd && (leftEnds ? right : left)?.[0] !== lineEnd) return "apart";
    if (leftEnds) return "shorter";
    return rightEnds ? "longer" : "apart";
  } finally {
    await a.close();
    await b.close();
  }
}

type Pieces = ReturnType<typeof openPieces>;

/** Leaves both where they differ or one ends. True: at the begin of a line. */
async function skipCommon(a: Pieces, b: Pieces): Promise<boolean> {
  let last = lineEnd;
  for (;;) {
    const [left, right] = [await a.peek(), await b.peek()];
    if (left === undefined || right === undefined) return last === lineEnd;
    const length = Math.min(left.length, right.length);
    const isSame = left.subarray(0, length).equals(right.subarray(0, length));
    const common = isSame ? length : left.findIndex((byte, at) => byte !== right[at]);
    last = left[common - 1] ?? last;
    a.skip(common);
    b.skip(common);
    if (!isSame) return last === lineEnd;
  }
}

const lineEnd = 10;

function openPieces(stream: AsyncIterable<Uint8Array>) {
  const iterator = stream[Symbol.asyncIterator]();
  let piece: Buffer | undefined;
  async function peek(): Promise<Buffer | undefined> {
    while (piece === undefined || piece.length === 0) {
      const next = await iterator.next();
      if (next.done === true) return undefined;
      piece = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength);
    }
    return piece;
  }
  return {
    peek,
    skip(length: number) {
      piece = piece?.subarray(length);
    },
    /** True if nothing but line ends is left; reads on until something else comes. */
    async isBlank(): Promise<boolean> {
      for (;;) {
        const next = await peek();
        if (next === undefined) return true;
        if (next.some((byte) => byte !== lineEnd)) return false;
        piece = undefined;
      }
    },
    close: () => iterator.return?.(undefined),
  };
}
