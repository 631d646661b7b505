import { createHash } from "node:crypto";
import { isKeyframeError } from "../../../base/errors.ts";
import { fault } from "../../../system/fault.ts";
import { collect } from "../interface/object-content.ts";
import type { ObjectContent, PutOptions, PutResult } from "../interface/object-store.ts";
import type { S3Requests } from "./s3-requests.ts";
import { createPager, elements, elementText, escapeXml } from "./s3-xml.ts";

/** Parts in memory and in flight at the same time. */
const partsInFlight = 3;
const maxParts = 10_000;
const minPartBytes = 8 * 1024 * 1024;

interface StoredPart {
  readonly number: number;
  readonly sizeBytes: number;
  /** MD5 in hex, as servers name parts that are not encrypted with a key of theirs. */
  readonly etag: string;
  readonly modifiedMs: number;
}

export interface UnfinishedUpload {
  readonly key: string;
  readonly uploadId: string;
  readonly startedMs: number;
}

/** The same for the same length, so that a later process finds the parts of an earlier one. */
function partBytesFor(sizeBytes: number): number {
  const mebibyte = 1024 * 1024;
  return Math.max(minPartBytes, Math.ceil(sizeBytes / maxParts / mebibyte) * mebibyte);
}

/**
 * Uploads a large object in parts. An upload of the same key that broke off is continued: parts that the server holds
 * with the right MD5 are not sent again. A failure leaves the parts for the next try.
 */
export async function putInParts(
  s3: S3Requests,
  key: string,
  content: ObjectContent,
  options: PutOptions,
): Promise<PutResult> {
  const found = await newestUpload(s3, key, options.signal);
  const uploadId = found ?? (await startUpload(s3, key, options.signal));
  const stored = found === undefined ? [] : await listParts(s3, key, { uploadId, signal: options.signal });
  const etags = await sendParts(s3, { key, uploadId, content, stored }, options);
  fault("s3-store:before-complete");
  return await completeUpload(s3, { key, uploadId, etags }, options.signal);
}

interface PartsJob {
  readonly key: string;
  readonly uploadId: string;
  readonly content: ObjectContent;
  readonly stored: readonly StoredPart[];
}

async function sendParts(s3: S3Requests, job: PartsJob, options: PutOptions): Promise<string[]> {
  const partBytes = partBytesFor(job.content.sizeBytes);
  const partCount = Math.ceil(job.content.sizeBytes / partBytes);
  const etags = Array.from({ length: partCount }, () => "");
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  let next = 0;
  let doneBytes = 0;

  async function work(): Promise<void> {
    while (next < partCount) {
      const index = next;
      next += 1;
      const offsetBytes = index * partBytes;
      const lengthBytes = Math.min(partBytes, job.content.sizeBytes - offsetBytes);
      const bytes = await collect(job.content.open({ offsetBytes, lengthBytes }, signal), lengthBytes);
      etags[index] = await sendPart(s3, job, { number: index + 1, bytes, signal });
      doneBytes += lengthBytes;
      options.onProgress?.(doneBytes);
    }
  }

  const workers = Array.from({ length: Math.min(partsInFlight, partCount) }, () =>
    work().catch((error: unknown) => {
      stop.abort(error);
      throw error;
    }),
  );
  // every worker has ended before this one answers, so nothing is sent after a failure was reported
  const results = await Promise.allSettled(workers);
  if (stop.signal.aborted) throw stop.signal.reason;
  for (const result of results) if (result.status === "rejected") throw result.reason;
  return etags;
}

async function sendPart(
  s3: S3Requests,
  job: PartsJob,
  part: { readonly number: number; readonly bytes: Buffer; readonly signal: AbortSignal },
): Promise<string> {
  const md5 = createHash("md5").update(part.bytes).digest();
  const etag = `"${md5.toString("hex")}"`;
  const isStored = job.stored.some(
    (stored) =>
      stored.number === part.number && stored.sizeBytes === part.bytes.length && stored.etag === etag,
  );
  if (isStored) return etag;
  const request = {
    method: "PUT",
    key: job.key,
    query: { partNumber: String(part.number), uploadId: job.uploadId },
    headers: { "content-md5": md5.toString("base64") },
    body: part.bytes,
    signal: part.signal,
  } as const;
  const response = await s3.send(request);
  if (response.status !== 200) throw await s3.failure(response, request);
  response.discard();
  fault("s3-store:after-part");
  return String(response.headers["etag"] ?? etag);
}

async function startUpload(s3: S3Requests, key: string, signal: AbortSignal): Promise<string> {
  return elementText(await s3.text({ method: "POST", key, query: { uploads: "" }, signal }), "UploadId");
}

async function completeUpload(
  s3: S3Requests,
  upload: { readonly key: string; readonly uploadId: string; readonly etags: readonly string[] },
  signal: AbortSignal,
): Promise<PutResult> {
  const parts = upload.etags.map(
    (etag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>${escapeXml(etag)}</ETag></Part>`,
  );
  const request = {
    method: "POST",
    key: upload.key,
    query: { uploadId: upload.uploadId },
    headers: { "if-none-match": "*" },
    body: Buffer.from(`<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`),
    signal,
  } as const;
  try {
    await s3.text(request);
    return "created";
  } catch (error) {
    // another writer of the same bytes was faster: it used up our upload, or the object is there
    const isThere = (await s3.send({ method: "HEAD", key: upload.key, signal })).status === 200;
    if (!isThere || !isKeyframeError(error, "not-found", "io-failed")) throw error;
    await abortUpload(s3, upload, signal);
    return "exists";
  }
}

export async function abortUpload(
  s3: S3Requests,
  upload: { readonly key: string; readonly uploadId: string },
  signal: AbortSignal,
): Promise<void> {
  const query = { uploadId: upload.uploadId };
  const request = { method: "DELETE", key: upload.key, query, signal } as const;
  const response = await s3.send(request);
  if (response.status >= 300 && response.status !== 404) throw await s3.failure(response, request);
  response.discard();
}

async function newestUpload(s3: S3Requests, key: string, signal: AbortSignal): Promise<string | undefined> {
  let newest: UnfinishedUpload | undefined;
  for await (const upload of listUploads(s3, key, signal)) {
    if (upload.key === key && (newest === undefined || upload.startedMs > newest.startedMs)) newest = upload;
  }
  return newest?.uploadId;
}

/** Uploads below the prefix that were neither completed nor aborted. */
export async function* listUploads(
  s3: S3Requests,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<UnfinishedUpload> {
  const nextPage = createPager({ "key-marker": "NextKeyMarker", "upload-id-marker": "NextUploadIdMarker" });
  for (let page: Record<string, string> | undefined = {}; page !== undefined; ) {
    const query = { uploads: "", prefix: s3.location.prefix + prefix, ...page };
    const xml = await s3.text({ method: "GET", query, signal });
    for (const upload of elements(xml, "Upload")) {
      yield {
        key: elementText(upload, "Key").slice(s3.location.prefix.length),
        uploadId: elementText(upload, "UploadId"),
        startedMs: Date.parse(elementText(upload, "Initiated")) || 0,
      };
    }
    page = nextPage(xml);
  }
}

/** When a part last arrived, or the upload began. */
export async function lastActivityMs(
  s3: S3Requests,
  upload: UnfinishedUpload,
  signal: AbortSignal,
): Promise<number> {
  const parts = await listParts(s3, upload.key, { uploadId: upload.uploadId, signal });
  return parts.reduce((latest, part) => Math.max(latest, part.modifiedMs), upload.startedMs);
}

async function listParts(
  s3: S3Requests,
  key: string,
  options: { readonly uploadId: string; readonly signal: AbortSignal },
): Promise<StoredPart[]> {
  const parts: StoredPart[] = [];
  const nextPage = createPager({ "part-number-marker": "NextPartNumberMarker" });
  for (let page: Record<string, string> | undefined = {}; page !== undefined; ) {
    const query = { uploadId: options.uploadId, ...page };
    const xml = await s3.text({ method: "GET", key, query, signal: options.signal });
    for (const part of elements(xml, "Part")) {
      parts.push({
        number: Number(elementText(part, "PartNumber")),
        sizeBytes: Number(elementText(part, "Size")),
        etag: `"${elementText(part, "ETag").replaceAll('"', "")}"`,
        modifiedMs: Date.parse(elementText(part, "LastModified")) || 0,
      });
    }
    page = nextPage(xml);
  }
  return parts;
}
