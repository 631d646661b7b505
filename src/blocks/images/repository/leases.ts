import { KeyframeError } from "../../../base/errors.ts";
import type { Clock } from "../../../system/clock.ts";
import { type Random, randomHex } from "../../../system/random.ts";
import { leasesPrefix } from "../../object-keys.ts";
import { bytesContent } from "../../stores/interface/object-content.ts";
import type { ObjectStore } from "../../stores/interface/object-store.ts";

// Uploads and garbage collection exclude each other by objects named leases/<kind>-<expiry, ms since 1970>-<random>.
// Each side first puts its own lease and then looks for the other's: with a consistent store at least one of two that
// start together sees the other. Uploads wait for a collection; a collection gives way to uploads.

export type LeaseKind = "upload" | "collect";

export interface StoreLease {
  /** Throws `timed-out` if the lease ran out because it could not be renewed in time. */
  check(): void;
  release(): Promise<void>;
}

export interface LeaseOptions {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
}

export const leaseDurationMs = 15 * 60 * 1000;
const renewEveryMs = leaseDurationMs / 3;
const waitForCollectionMs = 60_000;
const pollMs = 500;

/** Keeps collections out until it is released; waits for one that is under way, up to a minute. */
export async function takeUploadLease(options: LeaseOptions): Promise<StoreLease> {
  const { store, clock, signal } = options;
  const lease = await takeLease("upload", options);
  try {
    const startMs = clock.monotonicMs();
    while ((await activeLeases(store, clock, signal)).collect > 0) {
      if (clock.monotonicMs() - startMs > waitForCollectionMs) {
        throw new KeyframeError("lock-busy", `a garbage collection of ${store.location} is under way`, {
          hint: `run the command again later; a collection that crashed is ignored after ${leaseDurationMs / 60_000} minutes`,
        });
      }
      await clock.sleep(pollMs, signal);
    }
    return lease;
  } catch (error) {
    await lease.release();
    throw error;
  }
}

/** Keeps uploads out until it is released; refuses at once where one is under way. */
export async function takeCollectLease(options: LeaseOptions): Promise<StoreLease> {
  const { store, clock, signal } = options;
  const lease = await takeLease("collect", options);
  try {
    const active = await activeLeases(store, clock, signal);
    if (active.upload === 0 && active.collect === 1) return lease;
    throw new KeyframeError(
      "lock-busy",
      `an upload to ${store.location} or another collection is under way`,
      {
        hint: `run it again later; an upload that crashed is ignored after ${leaseDurationMs / 60_000} minutes`,
      },
    );
  } catch (error) {
    await lease.release();
    throw error;
  }
}

/** Leases that have not run out. */
async function activeLeases(
  store: ObjectStore,
  clock: Clock,
  signal: AbortSignal,
): Promise<Record<LeaseKind, number>> {
  const active = { upload: 0, collect: 0 };
  for await (const { key } of store.list(leasesPrefix, signal)) {
    const lease = parseLease(key);
    if (lease !== undefined && lease.expiresMs > clock.nowMs()) active[lease.kind] += 1;
  }
  return active;
}

/** Leases that ran out long ago; nobody needs them. */
export async function expiredLeases(
  store: ObjectStore,
  clock: Clock,
  signal: AbortSignal,
): Promise<string[]> {
  const expired: string[] = [];
  for await (const { key } of store.list(leasesPrefix, signal)) {
    const lease = parseLease(key);
    if (lease !== undefined && lease.expiresMs + leaseDurationMs < clock.nowMs()) expired.push(key);
  }
  return expired;
}

function parseLease(key: string): { readonly kind: LeaseKind; readonly expiresMs: number } | undefined {
  const match = /^leases\/(upload|collect)-(\d{1,15})-[0-9a-f]+$/.exec(key);
  if (match === null) return undefined;
  return { kind: match[1] === "upload" ? "upload" : "collect", expiresMs: Number(match[2]) };
}

async function takeLease(
  kind: LeaseKind,
  { store, clock, random, signal }: LeaseOptions,
): Promise<StoreLease> {
  let current = await putLease();
  const stopped = new AbortController();
  const renewing = renew();

  async function putLease(): Promise<{ readonly key: string; readonly expiresMs: number }> {
    const expiresMs = clock.nowMs() + leaseDurationMs;
    const key = `${leasesPrefix}${kind}-${expiresMs}-${randomHex(random, 16)}`;
    await store.put(key, bytesContent(Buffer.from("1")), { signal });
    return { key, expiresMs };
  }

  /** The next lease is there before the old one goes. */
  async function renew(): Promise<void> {
    try {
      for (;;) {
        await clock.sleep(renewEveryMs, stopped.signal);
        const old = current;
        current = await putLease();
        await store.delete(old.key, signal);
      }
    } catch {
      // released, or the store failed: then the lease runs out and check() tells
    }
  }

  return {
    check() {
      if (current.expiresMs > clock.nowMs()) return;
      throw new KeyframeError(
        "timed-out",
        `the lease on ${store.location} ran out before the work was done`,
        {
          hint: "run the command again: what was uploaded is kept",
        },
      );
    },
    async release() {
      stopped.abort();
      await renewing;
      // also after a cancelled upload: a lease left behind only delays the next collection
      await store.delete(current.key, AbortSignal.timeout(10_000)).catch(() => undefined);
    },
  };
}
