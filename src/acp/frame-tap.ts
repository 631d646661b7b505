/** Longest message that is looked at, bytes; longer ones pass and say nothing. */
export const maxMessageReadBytes = 16 * 1024 * 1024;

const newline = 0x0a;

/**
 * Reads along with a stream of JSON messages, one a line, without holding it up or changing it. Of a message that is too
 * long only its length is kept, so memory stays bounded whatever the peer sends.
 */
export class FrameTap {
  #held: Buffer[] = [];
  #heldBytes = 0;
  #skipped = 0;

  /** Messages that were too long or no JSON. */
  get skipped(): number {
    return this.#skipped;
  }

  /** The messages that end in this chunk. The chunk may be used again by its owner afterwards. */
  push(chunk: Uint8Array): unknown[] {
    const piece = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const messages: unknown[] = [];
    let from = 0;
    for (let at = piece.indexOf(newline); at !== -1; at = piece.indexOf(newline, from)) {
      const message = this.#take(piece.subarray(from, at));
      if (message !== undefined) messages.push(message);
      from = at + 1;
    }
    this.#hold(piece.subarray(from));
    return messages;
  }

  #hold(rest: Buffer): void {
    this.#heldBytes += rest.length;
    if (this.#heldBytes > maxMessageReadBytes) this.#held = [];
    else if (rest.length > 0) this.#held.push(Buffer.from(rest));
  }

  #take(last: Buffer): unknown {
    const bytes = this.#heldBytes + last.length;
    const held = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    if (bytes > maxMessageReadBytes) {
      this.#skipped += 1;
      return undefined;
    }
    const text = Buffer.concat([...held, last])
      .toString("utf8")
      .trim();
    if (text === "") return undefined;
    try {
      return JSON.parse(text);
    } catch {
      this.#skipped += 1;
      return undefined;
    }
  }
}
