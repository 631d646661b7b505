import { errorText } from "../../base/errors.ts";
import { prepareGuestKernel } from "../image/guest-kernel.ts";
import { removeSandbox } from "../removal/remove-sandbox.ts";
import { type SandboxContext, withLock } from "../store/home.ts";
import type { ImageRecord } from "../store/records.ts";
import { findSnapshot, mustBeReady, type ReadySnapshot } from "../store/snapshot-store.ts";
import { findWarmStart, forgetWarmStart, recordWarmStart, type WarmKey } from "../store/warm-starts.ts";
import { branchSandbox } from "./branch.ts";
import {
  type BootOptions,
  bootSandbox,
  forkSnapshot,
  planShape,
  type StartedSandbox,
} from "./start-sandbox.ts";

/** A machine that only boots and is saved is ended after this, if whoever made it could not do that. */
const makingLimitMs = 10 * 60_000;

/**
 * Starts a sandbox from an image as a copy of a machine that has booted from it before: the first one makes that
 * snapshot, all others share it. What starts there shares its memory with the snapshot, so a later branch stores and
 * pauses for what has changed since, not for all that was touched by booting. Where it cannot be made or used, the
 * machine boots by itself.
 */
export async function startWarm(
  context: SandboxContext,
  image: ImageRecord,
  options: BootOptions,
  progress: (text: string) => void,
): Promise<StartedSandbox> {
  const { memoryMiB: _memory, cpus: _cpus, diskBytes: _disk, accelerator: _accelerator, ...rest } = options;
  const kernel = await prepareGuestKernel(context, context.home.folder("kernels"));
  const key: WarmKey = { layer: image.layer, shape: planShape(options), kernelDigest: kernel.digest };
  try {
    const warm = await ensureWarmStart(context, image, { key, options, progress });
    const [result] = await forkSnapshot(context, warm, { ...rest, count: 1, pool: false });
    if (result?.ok === true) return result.sandbox;
    throw result?.error;
  } catch (error) {
    // another version of QEMU, a damaged file: the next start makes it anew
    forgetWarmStart(context, key);
    context.warn(`no warm start of ${image.name}: ${errorText(error)}`);
    return bootSandbox(context, image, options);
  }
}

interface WarmRequest {
  readonly key: WarmKey;
  readonly options: BootOptions;
  readonly progress: (text: string) => void;
}

async function ensureWarmStart(
  context: SandboxContext,
  image: ImageRecord,
  request: WarmRequest,
): Promise<ReadySnapshot> {
  const known = readWarmStart(context, request.key);
  if (known !== undefined) return known;
  // one makes it, whoever else wants it waits
  return withLock(context, `warm-${image.layer}`, async () => {
    return readWarmStart(context, request.key) ?? (await makeWarmStart(context, image, request));
  });
}

/** Undefined if it is not there, or was removed. */
function readWarmStart(context: SandboxContext, key: WarmKey): ReadySnapshot | undefined {
  const id = findWarmStart(context, key);
  if (id === undefined) return undefined;
  try {
    return mustBeReady(context, findSnapshot(context, id));
  } catch {
    return undefined; // made anew
  }
}

async function makeWarmStart(
  context: SandboxContext,
  image: ImageRecord,
  { key, options, progress }: WarmRequest,
): Promise<ReadySnapshot> {
  const { memoryMiB, cpus, diskBytes, accelerator } = options;
  progress(
    `first start of ${image.name} with ${memoryMiB} MiB and ${cpus} processors: making its warm start`,
  );
  const { record } = await bootSandbox(context, image, {
    memoryMiB,
    cpus,
    diskBytes,
    accelerator,
    lifetimeMs: makingLimitMs,
    scratch: true,
  });
  try {
    const snapshot = await (await branchSandbox(context, record.id)).durable;
    recordWarmStart(context, key, snapshot.id);
    return snapshot;
  } finally {
    await removeSandbox(context, record);
  }
}
