/** Bytes that arrived and are not used yet. Nothing is copied unless a taken piece spans two arrivals. */
export interface ByteQueue {
  readonly lengthBytes: number;
  push(bytes: Buffer): void;
  /** The next `count` bytes, or undefined while there are fewer. Shares memory with what was pushed. */
  take(count: number): Buffer | undefined;
  /** Moves bytes into `target` from `offset` on; returns how many. */
  moveInto(target: Buffer, offset: number): number;
  /** Drops up to `count` bytes; returns how many. */
  skip(count: number): number;
}

export function createByteQueue(): ByteQueue {
  let head: Buffer = Buffer.alloc(0);
  let headOffset = 0;
  let rest: Buffer[] = [];
  let lengthBytes = 0;

  function nextHead(): void {
    head = rest.shift() ?? Buffer.alloc(0);
    headOffset = 0;
  }

  /** Up to `count` bytes of the head. */
  function step(count: number): Buffer {
    if (headOffset === head.length) nextHead();
    const piece = head.subarray(headOffset, Math.min(head.length, headOffset + count));
    headOffset += piece.length;
    lengthBytes -= piece.length;
    return piece;
  }

  function moveInto(target: Buffer, offset: number): number {
    let moved = 0;
    while (lengthBytes > 0 && offset + moved < target.length) {
      const piece = step(target.length - offset - moved);
      piece.copy(target, offset + moved);
      moved += piece.length;
    }
    return moved;
  }

  return {
    get lengthBytes() {
      return lengthBytes;
    },
    push(bytes) {
      if (lengthBytes === 0) {
        head = bytes;
        headOffset = 0;
        rest = [];
      } else rest.push(bytes);
      lengthBytes += bytes.length;
    },
    take(count) {
      if (lengthBytes < count) return undefined;
      if (headOffset === head.length) nextHead();
      if (head.length - headOffset >= count) return step(count);
      const joined = Buffer.allocUnsafe(count);
      moveInto(joined, 0);
      return joined;
    },
    moveInto,
    skip(count) {
      let skipped = 0;
      while (lengthBytes > 0 && skipped < count) skipped += step(count - skipped).length;
      return skipped;
    },
  };
}
