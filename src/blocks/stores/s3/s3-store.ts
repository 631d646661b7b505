import { createHash } from "node:crypto";
import type { HttpClient } from "../../../system/net/http.ts";
import { createdMsOf, lengthOf, rangedBody, rangeHeader } from "../interface/http-answers.ts";
import { checkKey, checkRange, collect, objectNotFound } from "../interface/object-content.ts";
import {
  isObjectKey,
  type ListedObject,
  type ObjectContent,
  type ObjectStore,
  type PutOptions,
  type PutResult,
} from "../interface/object-store.ts";
import type { AwsCredentials } from "./aws-settings.ts";
import type { S3Location } from "./s3-location.ts";
import { abortUpload, lastActivityMs, listUploads, putInParts } from "./s3-multipart.ts";
import { createS3Requests, type S3Requests } from "./s3-requests.ts";
import { createPager, elements, elementText } from "./s3-xml.ts";

/** Objects up to this length are one request, so that the server can refuse to replace one (`If-None-Match: *`). */
const singleRequestBytes = 8 * 1024 * 1024;

/** A bucket of Amazon S3 or of a server that speaks its protocol and honours conditional writes. */
export function createS3Store(
  s3Location: S3Location,
  credentials: AwsCredentials,
  client: HttpClient,
): ObjectStore {
  const s3 = createS3Requests(s3Location, credentials, client);
  const location = s3Location.name;

  async function stat(key: string, signal: AbortSignal) {
    checkKey(key);
    const request = { method: "HEAD", key, signal } as const;
    const response = await s3.send(request);
    if (response.status === 404) {
      response.discard();
      return undefined;
    }
    if (response.status !== 200) throw await s3.failure(response, request);
    response.discard();
    return { sizeBytes: lengthOf(response, `${location}/${key}`), createdMs: createdMsOf(response) };
  }

  async function putAtOnce(key: string, content: ObjectContent, options: PutOptions): Promise<PutResult> {
    const whole = { offsetBytes: 0, lengthBytes: content.sizeBytes };
    const body = await collect(content.open(whole, options.signal), content.sizeBytes);
    const md5 = createHash("md5").update(body).digest("base64");
    const headers = { "if-none-match": "*", "content-md5": md5 };
    const request = { method: "PUT", key, headers, body, signal: options.signal } as const;
    const response = await s3.send(request);
    if (response.status === 412) {
      response.discard();
      return "exists";
    }
    // 409: another conditional write of this key was under way; who won is known only by asking again
    if (response.status === 409 && (await stat(key, options.signal)) !== undefined) {
      response.discard();
      return "exists";
    }
    if (response.status !== 200) throw await s3.failure(response, request);
    response.discard();
    options.onProgress?.(content.sizeBytes);
    return "created";
  }

  return {
    location,
    atomicPutBytes: singleRequestBytes,
    stat,
    async *read(key, range, signal) {
      checkKey(key);
      const what = `${location}/${key}`;
      if (range?.lengthBytes === 0) {
        const found = await stat(key, signal);
        if (found === undefined) throw objectNotFound({ location }, key);
        checkRange(range, found);
        return;
      }
      if (range !== undefined) checkRange(range, { sizeBytes: Number.MAX_SAFE_INTEGER });
      const request = { method: "GET", key, headers: rangeHeader(range), signal } as const;
      const response = await s3.send(request);
      if (response.status !== 200 && response.status !== 206) {
        const error = await s3.failure(response, request);
        throw response.status === 404
          ? Object.assign(objectNotFound({ location }, key), { cause: error })
          : error;
      }
      yield* rangedBody(response, range, what);
    },
    async put(key, content, options) {
      if ((await stat(key, options.signal)) !== undefined) return "exists";
      return content.sizeBytes <= singleRequestBytes
        ? putAtOnce(key, content, options)
        : putInParts(s3, key, content, options);
    },
    list: (prefix, signal) => listObjects(s3, s3Location, { prefix, signal }),
    async delete(key, signal) {
      checkKey(key);
      const request = { method: "DELETE", key, signal } as const;
      const response = await s3.send(request);
      if (response.status >= 300 && response.status !== 404) throw await s3.failure(response, request);
      response.discard();
    },
    async removeUnfinished(beforeMs, signal) {
      let removed = 0;
      for await (const upload of listUploads(s3, "", signal)) {
        if (upload.startedMs >= beforeMs || (await lastActivityMs(s3, upload, signal)) >= beforeMs) continue;
        await abortUpload(s3, upload, signal);
        removed += 1;
      }
      return removed;
    },
    close: async () => client.close(),
  };
}

async function* listObjects(
  s3: S3Requests,
  location: S3Location,
  { prefix, signal }: { readonly prefix: string; readonly signal: AbortSignal },
): AsyncGenerator<ListedObject> {
  const nextPage = createPager({ "continuation-token": "NextContinuationToken" });
  for (let page: Record<string, string> | undefined = {}; page !== undefined; ) {
    const query = { "list-type": "2", prefix: location.prefix + prefix, ...page };
    const xml = await s3.text({ method: "GET", query, signal });
    for (const object of elements(xml, "Contents")) {
      const key = elementText(object, "Key").slice(location.prefix.length);
      if (!isObjectKey(key)) continue;
      yield {
        key,
        sizeBytes: Number(elementText(object, "Size")),
        createdMs: Date.parse(elementText(object, "LastModified")) || 0,
      };
    }
    page = nextPage(xml);
  }
}
