import { KeyframeError } from "../../../base/errors.ts";
import { isObjectKey } from "../interface/object-store.ts";
import type { AwsSettings } from "./aws-settings.ts";

export interface S3Location {
  /** For messages: s3://bucket/prefix. */
  readonly name: string;
  /** Address of the bucket, ends with a slash. */
  readonly bucketUrl: string;
  /** What comes before each key: empty or ends with a slash. */
  readonly prefix: string;
  readonly region: string;
}

/**
 * `s3://bucket/prefix`, where needed with `?endpoint=http://host:port&region=name`. Buckets at another end point than
 * Amazon's are addressed by path.
 */
export function parseS3Location(text: string, settings: AwsSettings): S3Location {
  const url = new URL(text);
  const bucket = url.hostname;
  const prefix = url.pathname.replace(/^\/+|\/+$/g, "");
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket) || (prefix !== "" && !isObjectKey(prefix))) {
    throw new KeyframeError("invalid-input", `${text} does not name a bucket and a prefix`, {
      hint: "write s3://bucket/prefix with letters, digits, '.', '_' and '-'",
    });
  }
  const region = url.searchParams.get("region") ?? settings.region ?? "us-east-1";
  const endpoint = url.searchParams.get("endpoint") ?? settings.endpoint;
  return {
    name: `s3://${bucket}${prefix === "" ? "" : `/${prefix}`}`,
    bucketUrl: bucketUrl(bucket, region, endpoint),
    prefix: prefix === "" ? "" : `${prefix}/`,
    region,
  };
}

function bucketUrl(bucket: string, region: string, endpoint: string | undefined): string {
  if (endpoint !== undefined) {
    if (!/^https?:\/\/[^/?#@]+\/?$/.test(endpoint)) {
      throw new KeyframeError("invalid-input", `${endpoint} is not the address of an S3 server`);
    }
    return `${endpoint.replace(/\/$/, "")}/${bucket}/`;
  }
  // a dot in the name would not match the certificate
  if (bucket.includes(".")) return `https://s3.${region}.amazonaws.com/${bucket}/`;
  return `https://${bucket}.s3.${region}.amazonaws.com/`;
}
