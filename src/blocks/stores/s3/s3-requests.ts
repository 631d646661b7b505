import { AwsV4Signer } from "aws4fetch";
import type { HttpClient, HttpRequest, HttpResponse } from "../../../system/net/http.ts";
import { errorOfAnswer } from "../interface/http-answers.ts";
import { collect } from "../interface/object-content.ts";
import type { AwsCredentials } from "./aws-settings.ts";
import type { S3Location } from "./s3-location.ts";
import { elementText } from "./s3-xml.ts";

export interface S3Request {
  readonly method: HttpRequest["method"];
  /** Below the prefix; absent for requests to the bucket. */
  readonly key?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  readonly signal: AbortSignal;
}

export interface S3Requests {
  readonly location: S3Location;
  /** Any status is an answer. */
  send(request: S3Request): Promise<HttpResponse>;
  /** The text of a 2xx answer; an error document is an error even under a 200. */
  text(request: S3Request): Promise<string>;
  /** The error that an answer outside 2xx means. */
  failure(response: HttpResponse, request: S3Request): Promise<Error>;
}

const maxAnswerBytes = 16 * 1024 * 1024;

export function createS3Requests(
  location: S3Location,
  credentials: AwsCredentials,
  client: HttpClient,
): S3Requests {
  const signingKeys = new Map<string, ArrayBuffer>();

  async function send(request: S3Request): Promise<HttpResponse> {
    const path = request.key === undefined ? "" : location.prefix + request.key;
    const url = new URL(location.bucketUrl + path);
    for (const [name, value] of Object.entries(request.query ?? {})) url.searchParams.set(name, value);
    const signed = await new AwsV4Signer({
      ...credentials,
      method: request.method,
      url: url.href,
      // the body's own Content-MD5 is signed, so the server checks every byte although the payload is not
      headers: { ...request.headers, "x-amz-content-sha256": "UNSIGNED-PAYLOAD" },
      service: "s3",
      region: location.region,
      cache: signingKeys,
    }).sign();
    return client.request({
      method: request.method,
      url: signed.url.href,
      headers: Object.fromEntries(signed.headers.entries()),
      ...(request.body === undefined ? {} : { body: request.body }),
      signal: request.signal,
    });
  }

  async function failure(response: HttpResponse, request: S3Request): Promise<Error> {
    const text = (await collect(response.body, maxAnswerBytes)).toString("utf8");
    return errorOfAnswer(response.status, describe(location, request), errorSummary(text));
  }

  return {
    location,
    send,
    failure,
    async text(request) {
      const response = await send(request);
      if (response.status < 200 || response.status > 299) throw await failure(response, request);
      const text = (await collect(response.body, maxAnswerBytes)).toString("utf8");
      if (/<Error>/.test(text)) throw errorOfAnswer(500, describe(location, request), errorSummary(text));
      return text;
    },
  };
}

function describe(location: S3Location, request: S3Request): string {
  return `${request.method} ${location.name}${request.key === undefined ? "" : `/${request.key}`}`;
}

/** "NoSuchKey: what the server says". */
function errorSummary(xml: string): string {
  return [elementText(xml, "Code"), elementText(xml, "Message")].filter((part) => part !== "").join(": ");
}
