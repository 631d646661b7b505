import { isKeyframeError } from "../../src/base/errors.ts";
import { elements, elementText } from "../../src/blocks/stores/s3/s3-xml.ts";
import { encodeDnsAnswer, parseDnsQuestion } from "../../src/sandbox/network/dns-message.ts";
import { multipartBoundary, parseMultipart } from "../../src/server/e2b/multipart.ts";
import { mutate } from "./mutate.ts";
import { type SeededRandom, seededRandom } from "./seeded-random.ts";

interface Options {
  readonly runs: number;
  readonly seed: number;
}

const question = Buffer.from(
  "\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\x03com\0\0\x01\0\x01",
  "latin1",
);

/** What a guest asks of names: no question, or one whose answer is a datagram that begins with it. */
export function fuzzDns({ runs, seed }: Options): number {
  const random = seededRandom(seed);
  const addresses = Array.from({ length: 300 }, (_, at) => `10.0.${at >> 8}.${at & 255}`);
  for (let run = 0; run < runs; run += 1) {
    const message = mutate(question, ["\xc0\x0c", "\x3f", "\0", "\xff", "."], random);
    const parsed = parseDnsQuestion(message);
    if (parsed === undefined) continue;
    if (parsed.name.length > 255) throw new Error(`a name of ${parsed.name.length} characters`);
    const answer = encodeDnsAnswer(message, "found", addresses.slice(0, random.below(300)));
    if (answer.length > 512 + 255 || answer.readUInt16BE(0) !== message.readUInt16BE(0))
      throw new Error(`an answer of ${answer.length} bytes`);
  }
  return runs;
}

const boundary = "----x1";
const form = [
  `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="a%22b.txt"\r\nContent-Type: text/plain\r\n\r\ncontent\r\n`,
  `--${boundary}\r\ncontent-disposition: form-data; name="other"\r\n\r\n\r\n--not\r\n`,
  `--${boundary}--\r\n`,
].join("");

/** Forms, in pieces of any length, read by one who takes all of each part or nothing. */
export async function fuzzMultipart({ runs, seed }: Options): Promise<number> {
  const random = seededRandom(seed);
  const words = [`--${boundary}`, "\r\n", "\r\n\r\n", "--", 'name="', ';name="\\', "Content-Disposition:"];
  for (let run = 0; run < runs; run += 1) {
    const bytes = mutate(Buffer.from(form), words, random);
    multipartBoundary(
      mutate(Buffer.from(`multipart/form-data; boundary="${boundary}"`), words, random).toString(),
    );
    try {
      let total = 0;
      for await (const part of parseMultipart(inPieces(bytes, random), boundary))
        if (random.below(3) > 0) for await (const piece of part.content) total += piece.length;
      if (total > bytes.length) throw new Error("a form became larger as it was read");
    } catch (error) {
      if (!isKeyframeError(error)) throw error;
    }
  }
  return runs;
}

async function* inPieces(bytes: Buffer, random: SeededRandom): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + random.below(60);
    yield bytes.subarray(at, end);
    at = end;
  }
}

const list = `<?xml version="1.0"?><ListBucketResult xmlns="x"><IsTruncated>false</IsTruncated>${"<Contents><Key>a&amp;b</Key><Size>3</Size></Contents>".repeat(3)}</ListBucketResult>`;

/** What an object store answers. */
export function fuzzStores({ runs, seed }: Options): number {
  const random = seededRandom(seed);
  const words = ["<Contents>", "</Contents>", "<Key>", "&#x10ffff;", "&#9999999;", "&", "<Contents ", ">"];
  for (let run = 0; run < runs; run += 1) {
    const flood = random.below(50) === 0 ? random.pick(words).repeat(20_000) : "";
    const xml = mutate(Buffer.from(list + flood), words, random).toString();
    for (const object of elements(xml, "Contents")) elementText(object, "Key");
    elementText(xml, "IsTruncated");
  }
  return runs;
}
