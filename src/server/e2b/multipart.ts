import { on } from "node:events";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import busboy from "busboy";
import { KeyframeError } from "../../base/errors.ts";

// multipart/form-data (RFC 7578), read as a stream by busboy: a part's content is never held whole.

export interface MultipartPart {
  readonly name: string;
  readonly fileName: string | undefined;
  /** Must be read before the next part is asked for; what is left of it then is dropped. */
  readonly content: AsyncIterable<Buffer>;
}

const maxParts = 10_000;

/** The boundary of a content type; undefined if it is not multipart/form-data. */
export function multipartBoundary(contentType: string): string | undefined {
  if (!/^multipart\/form-data\b/i.test(contentType)) return undefined;
  const match = /;\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(contentType);
  return match?.[1] ?? match?.[2];
}

/** The files of a form in their order; text fields are left out. @throws KeyframeError `invalid-input`, `too-large` */
export async function* parseMultipart(
  body: AsyncIterable<Uint8Array>,
  boundary: string,
): AsyncGenerator<MultipartPart> {
  const parser = openParser(boundary);
  const files = on(parser, "file", { close: ["close"] }) as AsyncIterable<FileEvent>;
  const reading = pipeline(Readable.from(body), parser);
  // every failure also reaches the parser, where `files` throws it
  reading.catch(() => undefined);
  try {
    for await (const [name, content, { filename }] of files) {
      yield { name: unescaped(name) ?? "", fileName: unescaped(filename), content: chunksOf(content) };
      content.resume();
    }
  } catch (error) {
    throw asFormError(error);
  } finally {
    parser.destroy();
  }
}

type FileEvent = readonly [name: string | undefined, content: Readable, info: { readonly filename?: string }];

function openParser(boundary: string): busboy.Busboy {
  const parser = busboy({
    headers: { "content-type": `multipart/form-data; boundary="${boundary}"` },
    defParamCharset: "utf8",
    preservePath: true,
    limits: { parts: maxParts },
  });
  parser.once("partsLimit", () =>
    parser.destroy(new KeyframeError("too-large", `a form has more than ${maxParts} parts`)),
  );
  // a file that breaks off before anybody reads it: whoever reads it is told then
  parser.on("file", (_name, content) => content.on("error", () => undefined));
  return parser;
}

async function* chunksOf(content: Readable): AsyncGenerator<Buffer> {
  try {
    yield* content as AsyncIterable<Buffer>;
  } catch (error) {
    throw asFormError(error);
  }
}

/** As browsers and Node encode names. */
function unescaped(name: string | undefined): string | undefined {
  return name?.replace(/%22/g, '"').replace(/%0D/gi, "\r").replace(/%0A/gi, "\n");
}

/** Errors of the body itself have a code, those of the parser have none. */
function asFormError(error: unknown): unknown {
  if (!(error instanceof Error) || "code" in error) return error;
  return new KeyframeError("invalid-input", `the form is malformed: ${error.message}`, { cause: error });
}
