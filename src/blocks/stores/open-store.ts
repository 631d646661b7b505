import { join, resolve } from "node:path";
import { sha256Hex } from "../../base/digest.ts";
import type { Clock } from "../../system/clock.ts";
import type { Files } from "../../system/files/files.ts";
import type { OpenSparseFile } from "../../system/files/sparse-file.ts";
import type { HttpClient, HttpClientOptions } from "../../system/net/http.ts";
import type { Random } from "../../system/random.ts";
import { createFolderStore } from "./folder-store.ts";
import { createHttpStore } from "./http-store.ts";
import type { ObjectStore } from "./interface/object-store.ts";
import { withRequestRetry } from "./interface/with-request-retry.ts";
import { defaultRetryPolicy, type RetryOptions, withRetry } from "./interface/with-retry.ts";
import { mustHaveCredentials, readAwsSettings } from "./s3/aws-settings.ts";
import { parseS3Location } from "./s3/s3-location.ts";
import { createS3Store } from "./s3/s3-store.ts";
import { withCache } from "./with-cache.ts";
import { withConcurrencyLimit } from "./with-concurrency-limit.ts";

export interface OpenStoreOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  readonly files: Files;
  readonly openFile: OpenSparseFile;
  readonly clock: Clock;
  readonly random: Random;
  readonly createHttpClient: (options: HttpClientOptions) => HttpClient;
  /** Where what is read from other machines is kept. */
  readonly cacheFolder: string;
}

const requestsAtATime = 16;
const idleTimeoutMs = 30_000;
const cacheBytes = 1024 * 1024 * 1024;

/** A directory, `http(s)://host/path`, or `s3://bucket/prefix`; the last two with retries, a limit and a cache. */
export function openStore(location: string, options: OpenStoreOptions): ObjectStore {
  if (/^https?:\/\//.test(location)) return remote(createHttpStore(location, client(options)), options);
  if (location.startsWith("s3://")) {
    const settings = readAwsSettings(options.env, options.files);
    const s3Location = parseS3Location(location, settings);
    const retried = withRequestRetry(client(options), retryOptions(options));
    const store = createS3Store(s3Location, mustHaveCredentials(settings), retried);
    return remote(store, options, s3Location.bucketUrl);
  }
  return createFolderStore(resolve(options.cwd, location), options);
}

function client(options: OpenStoreOptions): HttpClient {
  return options.createHttpClient({ maxConnections: requestsAtATime, idleTimeoutMs });
}

function retryOptions({ clock, random }: OpenStoreOptions): RetryOptions {
  return { policy: defaultRetryPolicy, clock, random };
}

/** The limit is inside: a call that waits to be retried holds no place. */
function remote(store: ObjectStore, options: OpenStoreOptions, identity = store.location): ObjectStore {
  const { files, cacheFolder } = options;
  const limited = withConcurrencyLimit(store, requestsAtATime);
  const retried = withRetry(limited, retryOptions(options));
  const folder = join(cacheFolder, sha256Hex(`${identity} ${store.location}`).slice(0, 16));
  return withCache(retried, { files, folder, maxBytes: cacheBytes });
}
