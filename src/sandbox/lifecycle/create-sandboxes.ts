import { KeyframeError } from "../../base/errors.ts";
import type { Accelerator } from "../hypervisor.ts";
import { parseObjectName, parseSnapshotId } from "../ids.ts";
import { findSandboxImage } from "../image/build.ts";
import { chooseAcceleration } from "../qemu/acceleration.ts";
import type { SandboxContext } from "../store/home.ts";
import { readImageRecord } from "../store/records.ts";
import { findSnapshot, listSnapshots, mustBeReady } from "../store/snapshot-store.ts";
import { bootSandbox, type ForkResult, forkSnapshot, type StartOptions } from "./start-sandbox.ts";
import { startWarm } from "./warm-start.ts";

export interface CreateRequest extends StartOptions {
  /** An image or a snapshot. A name may be both: an id is always a snapshot's, and an image is asked first. */
  readonly from: string;
  /** From a snapshot only; 1 by default. */
  readonly count?: number;
  /** From a snapshot only: take machines that are kept ready for it. True by default. */
  readonly pool?: boolean;
  /** From an image only, as the next two: a snapshot has its own. 512 by default. */
  readonly memoryMiB?: number;
  /** From an image only: boot, instead of starting where an earlier machine had booted. */
  readonly cold?: boolean;
  /** 1 by default. */
  readonly cpus?: number;
  /** 4 GiB by default. */
  readonly diskBytes?: number;
  /** The fastest that works if undefined. */
  readonly accelerator: Accelerator | undefined;
  /** Says what was chosen. */
  readonly progress: (text: string) => void;
}

/** Starts one sandbox from an image, or some from a snapshot. */
export async function createSandboxes(
  context: SandboxContext,
  request: CreateRequest,
): Promise<readonly ForkResult[]> {
  const {
    from,
    count = 1,
    pool = true,
    memoryMiB,
    cpus,
    diskBytes,
    accelerator,
    progress,
    cold = false,
    ...options
  } = request;
  if (!isImage(context, from)) {
    if (memoryMiB !== undefined || cpus !== undefined || diskBytes !== undefined) {
      throw new KeyframeError(
        "usage",
        "memory, cpus and disk are the snapshot's own and cannot be chosen again",
      );
    }
    return forkSnapshot(context, mustBeReady(context, findSnapshot(context, from)), {
      ...options,
      count,
      pool,
    });
  }
  if (count !== 1) {
    throw new KeyframeError("usage", "--count works only with a snapshot", {
      hint: "run one, then `keyframe sandbox branch <id> --count <n>`",
    });
  }
  const acceleration = await chooseAcceleration(context, accelerator);
  progress(`accelerator: ${acceleration.accelerator} (${acceleration.reason})`);
  const image = findSandboxImage(context, parseObjectName(from));
  const boot = {
    ...options,
    memoryMiB: memoryMiB ?? 512,
    cpus: cpus ?? 1,
    diskBytes: diskBytes ?? 4 * 1024 ** 3,
    accelerator: acceleration.accelerator,
  };
  const sandbox = cold
    ? await bootSandbox(context, image, boot)
    : await startWarm(context, image, boot, progress);
  return [{ ok: true, sandbox }];
}

/** A name may be both an image's and a snapshot's: an id is always a snapshot's, and an image is asked first. */
export function isImage(context: SandboxContext, what: string): boolean {
  if (parseSnapshotId(what) !== undefined) return false;
  const name = parseObjectName(what);
  if (readImageRecord(context.files, context.home.imageRecord(name)) !== undefined) return true;
  if (listSnapshots(context).some((each) => each.name === what)) return false;
  throw new KeyframeError("not-found", `there is no image or snapshot ${what}`, {
    hint: "`keyframe image build` makes an image; `keyframe snapshot list` lists snapshots",
  });
}
