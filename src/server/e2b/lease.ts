import { join } from "node:path";
import * as z from "zod";
import { errorText, isKeyframeError, KeyframeError } from "../../base/errors.ts";
import type { SandboxId } from "../../sandbox/ids.ts";
import type { SandboxRecord } from "../../sandbox/store/records.ts";
import type { ServerContext } from "../context/context.ts";

// What an E2B client asks of a sandbox beyond ours: `lease.json` in the sandbox's directory, which goes with the sandbox.
// Its end moves, so it is the server that ends the sandbox; one that was not running ends it when it starts again.

const leaseRecord = z.object({
  format: z.literal(1),
  templateId: z.string(),
  metadata: z.record(z.string(), z.string()),
  endsAtMs: z.number(),
  onTimeout: z.enum(["kill", "pause"]),
});
export type SandboxLease = z.infer<typeof leaseRecord>;

const maxLeaseBytes = 256 * 1024;

export function readLease(context: ServerContext, id: SandboxId): SandboxLease | undefined {
  const bytes = context.sandboxContext.files.readIfExists(leasePath(context, id));
  if (bytes === undefined) return undefined;
  try {
    return leaseRecord.parse(JSON.parse(bytes.toString("utf8")));
  } catch (cause) {
    throw new KeyframeError("damaged", `${leasePath(context, id)} is not a lease`, { cause });
  }
}

export function writeLease(context: ServerContext, id: SandboxId, lease: SandboxLease): void {
  const bytes = Buffer.from(`${JSON.stringify(lease)}\n`);
  if (bytes.length > maxLeaseBytes) throw new KeyframeError("too-large", "the metadata is too large");
  context.sandboxContext.files.replace(leasePath(context, id), bytes, { mode: 0o600 });
}

function leasePath(context: ServerContext, id: SandboxId): string {
  return join(context.sandboxContext.home.sandboxFolder(id), "lease.json");
}

/** The longest time between two looks: another server may have changed a lease. */
const lookAtLeastEveryMs = 5_000;

export interface LeaseKeeper {
  /** A lease has changed: look at it now. */
  wake(): void;
  stop(): Promise<void>;
}

/** Ends or pauses sandboxes whose time is over, until stopped. */
export function keepLeases(context: ServerContext): LeaseKeeper {
  const stopping = new AbortController();
  let waiting = new AbortController();
  const loop = (async () => {
    while (!stopping.signal.aborted) {
      const nextMs = await enforceLeases(context).catch((error: unknown) => {
        context.sandboxContext.warn(`the ends of sandboxes are not kept: ${errorText(error)}`);
        return Number.POSITIVE_INFINITY;
      });
      waiting = new AbortController();
      const delayMs = Math.min(
        lookAtLeastEveryMs,
        Math.max(0, nextMs - context.sandboxContext.clock.nowMs()),
      );
      const signal = AbortSignal.any([stopping.signal, waiting.signal]);
      await context.sandboxContext.clock.sleep(delayMs, signal).catch(() => undefined); // woken or stopped
    }
  })();
  return {
    wake: () => waiting.abort(),
    async stop() {
      stopping.abort();
      await loop;
    },
  };
}

/** One look at all; answers when the next lease ends. */
export async function enforceLeases(context: ServerContext): Promise<number> {
  const { sandboxContext, sandboxApi } = context;
  let nextMs = Number.POSITIVE_INFINITY;
  const due: Promise<void>[] = [];
  for (const record of sandboxApi.listSandboxes(sandboxContext)) {
    try {
      const lease = readLease(context, record.id);
      const state = sandboxApi.sandboxState(sandboxContext, record);
      if (lease === undefined || state === "stopped" || state === "starting") continue;
      if (state === "running" && lease.endsAtMs > sandboxContext.clock.nowMs()) {
        nextMs = Math.min(nextMs, lease.endsAtMs);
        continue;
      }
      due.push(endLease(context, record, state === "running" ? lease.onTimeout : "kill"));
    } catch (error) {
      sandboxContext.warn(`sandbox ${record.id}: ${errorText(error)}`);
    }
  }
  await Promise.all(due);
  return due.length > 0 ? sandboxContext.clock.nowMs() + 1_000 : nextMs;
}

async function endLease(context: ServerContext, record: SandboxRecord, how: "kill" | "pause"): Promise<void> {
  const { sandboxContext, sandboxApi } = context;
  try {
    if (how === "pause") await sandboxApi.suspendSandbox(sandboxContext, record);
    else await sandboxApi.removeSandbox(sandboxContext, record);
  } catch (error) {
    // another server, or its user, was faster
    if (isKeyframeError(error, "not-found", "refused", "guest-gone")) return;
    sandboxContext.warn(`sandbox ${record.id} could not be ended: ${errorText(error)}`);
  }
}
