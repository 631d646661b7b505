import { KeyframeError } from "../../base/errors.ts";

// multipart/form-data (RFC 7578), read as a stream: a part's content is never held whole.

export interface MultipartPart {
  readonly name: string;
  readonly fileName: string | undefined;
  /** Must be read to its end before the next part is asked for. */
  readonly content: AsyncIterable<Buffer>;
}

const maxHeadBytes = 16 * 1024;
const maxParts = 10_000;

/** The boundary of a content type; undefined if it is not multipart/form-data. */
export function multipartBoundary(contentType: string): string | undefined {
  if (!/^multipart\/form-data\b/i.test(contentType)) return undefined;
  const match = /;\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(contentType);
  return match?.[1] ?? match?.[2];
}

export async function* parseMultipart(
  body: AsyncIterable<Uint8Array>,
  boundary: string,
): AsyncGenerator<MultipartPart> {
  const reader = createReader(body);
  const delimiter = Buffer.from(`\r\n--${boundary}`);
  // the first boundary has no line end before it
  reader.unread(Buffer.from("\r\n"));
  for await (const piece of reader.until(delimiter)) {
    if (piece.length > 0) throw malformed("there is something before the first boundary");
  }
  for (let count = 0; ; count += 1) {
    const after = await reader.take(2);
    if (after.equals(Buffer.from("--"))) return;
    if (!after.equals(Buffer.from("\r\n"))) throw malformed("a boundary is followed by something else");
    if (count >= maxParts) throw new KeyframeError("too-large", `a form has more than ${maxParts} parts`);
    const head = await readHead(reader);
    let ended = false;
    const content = (async function* () {
      yield* reader.until(delimiter);
      ended = true;
    })();
    yield { ...describePart(head), content };
    if (!ended) for await (const _rest of content); // the caller did not want it
  }
}

type Reader = ReturnType<typeof createReader>;

async function readHead(reader: Reader): Promise<string> {
  const pieces: Buffer[] = [];
  let total = 0;
  // the line end before the head was taken already: a part without a head begins with an empty line
  reader.unread(Buffer.from("\r\n"));
  for await (const piece of reader.until(Buffer.from("\r\n\r\n"))) {
    total += piece.length;
    if (total > maxHeadBytes) throw new KeyframeError("too-large", "the head of a part is too large");
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8");
}

function describePart(head: string): { name: string; fileName: string | undefined } {
  const disposition = /^content-disposition:\s*form-data\b(.*)$/im.exec(head)?.[1];
  if (disposition === undefined) throw malformed("a part does not say what it is");
  const field = (name: string) => {
    const value = new RegExp(`;\\s*${name}="((?:[^"\\\\]|\\\\.)*)"`, "i").exec(disposition)?.[1];
    // as browsers and Node encode them
    return value?.replace(/%22/g, '"').replace(/%0D/gi, "\r").replace(/%0A/gi, "\n");
  };
  return { name: field("name") ?? "", fileName: field("filename") };
}

function createReader(body: AsyncIterable<Uint8Array>) {
  const source = body[Symbol.asyncIterator]();
  let held = Buffer.alloc(0);

  async function more(): Promise<void> {
    const { done, value } = await source.next();
    if (done === true) throw malformed("it ends too early");
    held = held.length === 0 ? Buffer.from(value) : Buffer.concat([held, value]);
  }

  return {
    unread(bytes: Buffer) {
      held = Buffer.concat([bytes, held]);
    },
    async take(count: number): Promise<Buffer> {
      while (held.length < count) await more();
      const taken = held.subarray(0, count);
      held = held.subarray(count);
      return taken;
    },
    /** What comes before the mark, in pieces; the mark is taken too. */
    async *until(mark: Buffer): AsyncGenerator<Buffer> {
      for (;;) {
        const at = held.indexOf(mark);
        if (at >= 0) {
          const piece = held.subarray(0, at);
          held = held.subarray(at + mark.length);
          if (piece.length > 0) yield piece;
          return;
        }
        // the mark may have begun in the last bytes
        const safe = held.length - (mark.length - 1);
        if (safe > 0) {
          const piece = held.subarray(0, safe);
          held = held.subarray(safe);
          yield piece;
        }
        await more();
      }
    },
  };
}

function malformed(why: string): KeyframeError {
  return new KeyframeError("invalid-input", `the form is malformed: ${why}`);
}
