import { join } from "node:path";
import { KeyframeError } from "../../../base/errors.ts";
import type { FileStat } from "../../../system/files/files.ts";

export interface MountRequest {
  /** Absolute. */
  readonly target: string;
  readonly socketPath: string;
  readonly pidPath: string;
  readonly stat: (path: string) => FileStat | undefined;
}

/** Which client shows the disk, how it is told to, and how one knows that it did. */
export interface MountPlan {
  readonly program: string;
  readonly args: readonly string[];
  /** Path of the disk once it is shown. */
  readonly shownAt: string;
  /** A file that exists from then on. */
  readonly readyPath: string;
  /** Undefined if ending the client is enough. */
  readonly unmount: { readonly program: string; readonly args: readonly string[] } | undefined;
  readonly missingHint: string;
}

export function planMount(request: MountRequest): MountPlan {
  return request.target.startsWith("/dev/") ? planKernelMount(request) : planFuseMount(request);
}

function planKernelMount({ target, socketPath, stat }: MountRequest): MountPlan {
  if (stat(target) === undefined) {
    throw new KeyframeError("not-found", `there is no device ${target}`, {
      hint: "run `modprobe nbd` as root; where the kernel has no nbd module, name an empty directory instead (FUSE)",
    });
  }
  const name = target.slice("/dev/".length);
  return {
    program: "nbd-client",
    args: ["-unix", socketPath, target, "-nofork"],
    shownAt: target,
    // the kernel shows the client's pid here while the device is connected
    readyPath: `/sys/block/${name}/pid`,
    unmount: { program: "nbd-client", args: ["-d", target] },
    missingHint: "install nbd-client, or name an empty directory instead of a device (FUSE)",
  };
}

function planFuseMount({ target, socketPath, pidPath, stat }: MountRequest): MountPlan {
  if (stat(target)?.kind !== "folder") {
    throw new KeyframeError("not-found", `${target} is not a directory`, {
      hint: `run \`mkdir ${target}\` first`,
    });
  }
  if (stat("/dev/fuse") === undefined) {
    throw new KeyframeError("not-found", "this machine has no /dev/fuse", {
      hint: "load the fuse module, or serve the image with `keyframe image serve` and use a network client",
    });
  }
  return {
    program: "nbdfuse",
    args: ["--pidfile", pidPath, target, `nbd+unix:///?socket=${socketPath}`],
    shownAt: join(target, "nbd"),
    readyPath: pidPath,
    unmount: undefined,
    missingHint: "install nbdfuse (Debian: apt install nbdfuse), or use `keyframe image serve`",
  };
}
