import { KeyframeError } from "../../../base/errors.ts";
import type { HttpResponse } from "../../../system/net/http.ts";
import type { ByteRange } from "../../streamed-image.ts";
import { exactly } from "./object-content.ts";

/** "bytes=0-99", or nothing for a whole object. An empty range has no such header: ask nothing. */
export function rangeHeader(range: ByteRange | undefined): Record<string, string> {
  if (range === undefined) return {};
  return { range: `bytes=${range.offsetBytes}-${range.offsetBytes + range.lengthBytes - 1}` };
}

/** The body of a 200 or 206 as exactly the bytes that were asked for, or the error that the answer means. */
export async function* rangedBody(
  response: HttpResponse,
  range: ByteRange | undefined,
  what: string,
): AsyncGenerator<Buffer> {
  if (range === undefined) {
    yield* exactly(response.body, lengthOf(response, what), what);
    return;
  }
  if (response.status === 200) {
    response.discard();
    throw new KeyframeError("unsupported", `${what}: the server ignores byte ranges`, {
      hint: "copy the store with `keyframe image pull` or use a server that supports ranges",
    });
  }
  const match = /^bytes (\d+)-(\d+)\//.exec(String(response.headers["content-range"] ?? ""));
  const isRightRange =
    Number(match?.[1]) === range.offsetBytes &&
    Number(match?.[2]) === range.offsetBytes + range.lengthBytes - 1;
  if (!isRightRange) {
    response.discard();
    // a server clips a range that leaves the object
    throw new KeyframeError(
      "invalid-input",
      `${what} answered ${match?.[0] ?? "without a range"} for bytes ${range.offsetBytes} to ${range.offsetBytes + range.lengthBytes}`,
    );
  }
  yield* exactly(response.body, range.lengthBytes, what);
}

export function lengthOf(response: HttpResponse, what: string): number {
  const length = Number(response.headers["content-length"] ?? Number.NaN);
  if (Number.isSafeInteger(length) && length >= 0) return length;
  response.discard();
  throw new KeyframeError("unsupported", `${what}: the server does not say how long the object is`);
}

export function createdMsOf(response: HttpResponse): number {
  const ms = Date.parse(String(response.headers["last-modified"] ?? ""));
  return Number.isNaN(ms) ? 0 : ms;
}

/** The error of an answer that is no success; `text` is what the server said. */
export function errorOfAnswer(status: number, what: string, text = ""): KeyframeError {
  const message = `${what}: the server answered ${status}${text === "" ? "" : ` (${text})`}`;
  if (status === 429 || status === 408 || status >= 500)
    return new KeyframeError("store-unavailable", message);
  if (status === 401 || status === 403) {
    return new KeyframeError("permission-denied", message, {
      hint: "check the credentials and their rights",
    });
  }
  if (status === 404) return new KeyframeError("not-found", message);
  if (status === 416) return new KeyframeError("invalid-input", message);
  if (status >= 300 && status < 400)
    return new KeyframeError("unsupported", message, {
      hint: "redirects are not followed: name the final address",
    });
  return new KeyframeError("io-failed", message);
}
