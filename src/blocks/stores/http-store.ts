import { KeyframeError } from "../../base/errors.ts";
import type { HttpClient, HttpRequest } from "../../system/net/http.ts";
import { createdMsOf, errorOfAnswer, lengthOf, rangedBody, rangeHeader } from "./interface/http-answers.ts";
import { checkKey, checkRange, objectNotFound } from "./interface/object-content.ts";
import type { ObjectStore } from "./interface/object-store.ts";

/** A directory store behind any web server that answers byte ranges: read-only, and it cannot be listed. */
export function createHttpStore(baseUrl: string, client: HttpClient): ObjectStore {
  const base = baseUrl.endsWith("/") ? baseUrl : `${baseUrl}/`;
  const location = withoutCredentials(base);
  const headers = { "accept-encoding": "identity", ...authorization(base) };
  const readOnly = () =>
    new KeyframeError(
      "unsupported",
      `${location} is read-only: nothing can be stored, listed or deleted over HTTP`,
      {
        hint: "name a directory or an s3:// store, or name the image instead of listing",
      },
    );
  const ask = (request: Pick<HttpRequest, "method" | "headers" | "signal">, key: string) => {
    checkKey(key);
    const all = { ...headers, ...request.headers };
    return client.request({ ...request, url: location + key, headers: all });
  };

  async function stat(key: string, signal: AbortSignal) {
    const response = await ask({ method: "HEAD", signal }, key);
    response.discard();
    if (response.status === 404) return undefined;
    if (response.status !== 200) throw errorOfAnswer(response.status, location + key);
    return { sizeBytes: lengthOf(response, location + key), createdMs: createdMsOf(response) };
  }

  return {
    location,
    atomicPutBytes: 0,
    stat,
    async *read(key, range, signal) {
      if (range?.lengthBytes === 0) {
        const found = await stat(key, signal);
        if (found === undefined) throw objectNotFound({ location }, key);
        checkRange(range, found);
        return;
      }
      if (range !== undefined) checkRange(range, { sizeBytes: Number.MAX_SAFE_INTEGER });
      const response = await ask({ method: "GET", headers: rangeHeader(range), signal }, key);
      if (response.status === 200 || response.status === 206) {
        yield* rangedBody(response, range, location + key);
        return;
      }
      response.discard();
      if (response.status === 404) throw objectNotFound({ location }, key);
      throw errorOfAnswer(response.status, location + key);
    },
    async put() {
      throw readOnly();
    },
    list: () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(readOnly()) }) }),
    async delete() {
      throw readOnly();
    },
    removeUnfinished: async () => 0,
    close: async () => client.close(),
  };
}

function withoutCredentials(address: string): string {
  const url = new URL(address);
  url.username = "";
  url.password = "";
  return url.href;
}

function authorization(address: string): Record<string, string> {
  const { username, password } = new URL(address);
  if (username === "") return {};
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { authorization: `Basic ${Buffer.from(pair).toString("base64")}` };
}
