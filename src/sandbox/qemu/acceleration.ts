import * as z from "zod";
import { KeyframeError } from "../../base/errors.ts";
import type { Clock } from "../../system/clock.ts";
import type { Files } from "../../system/files/files.ts";
import type { Processes } from "../../system/process/processes.ts";
import type { Accelerator } from "../hypervisor.ts";
import { prepareGuestKernel } from "../image/guest-kernel.ts";
import type { SandboxContext } from "../store/home.ts";

export interface Acceleration {
  readonly accelerator: Accelerator;
  /** Why a faster one is not used; shown beside every figure. */
  readonly reason: string;
}

const probeMs = 5_000;

/**
 * Finds out by running a guest: `/dev/kvm` can be there, open and answer, and a guest on it never make progress. The
 * probe boots the kernel of the sandboxes with no disk and waits for the first words of the guest program.
 */
export async function probeAcceleration(
  context: {
    readonly files: Files;
    readonly processes: Processes;
    readonly clock: Clock;
    readonly platform: string;
  },
  kernel: { readonly kernelPath: string; readonly initrdPath: string },
): Promise<Acceleration> {
  const candidate = context.platform === "darwin" ? "hvf" : "kvm";
  if (candidate === "kvm" && context.files.statIfExists("/dev/kvm") === undefined) {
    return { accelerator: "tcg", reason: "this machine has no /dev/kvm" };
  }
  const probe = context.processes.start("qemu-system-x86_64", [
    "-M",
    "microvm,acpi=on,pit=off,pic=off,rtc=on,isa-serial=on",
    "-accel",
    candidate,
    "-cpu",
    "max",
    "-m",
    "256M",
    "-nodefaults",
    "-no-user-config",
    "-display",
    "none",
    "-no-reboot",
    "-serial",
    "stdio",
    "-kernel",
    kernel.kernelPath,
    "-initrd",
    kernel.initrdPath,
    "-append",
    "console=ttyS0 panic=-1 reboot=t",
  ]);
  const limit = new AbortController();
  try {
    const heard = new Promise<Acceleration>((resolve) => {
      let console = "";
      probe.stdout.on("data", (piece: Buffer) => {
        console = (console + piece.toString("latin1")).slice(-65536);
        if (console.includes("keyframe guest:"))
          resolve({ accelerator: candidate, reason: "a guest started on it" });
      });
    });
    const ended = probe.exited.then(
      ({ code }): Acceleration => ({
        accelerator: "tcg",
        reason: `QEMU could not use ${candidate} (exit code ${code})`,
      }),
    );
    const late = context.clock.sleep(probeMs, limit.signal).then((): Acceleration => {
      return {
        accelerator: "tcg",
        reason: `a guest on ${candidate} did not start within ${probeMs / 1000} s`,
      };
    });
    late.catch(() => undefined); // its abort
    return await Promise.race([heard, ended, late]);
  } finally {
    limit.abort();
    probe.kill("SIGKILL");
  }
}

const remembered = z.object({
  bootId: z.string(),
  accelerator: z.enum(["kvm", "hvf", "tcg"]),
  reason: z.string(),
});

/** The user's choice, else what a probe found: once per boot of this machine. */
export async function chooseAcceleration(
  context: SandboxContext,
  chosen: Accelerator | undefined,
): Promise<Acceleration> {
  if (chosen !== undefined) return { accelerator: chosen, reason: "chosen by KEYFRAME_ACCELERATOR" };
  const path = `${context.home.root}/acceleration.json`;
  const { bootId } = context.processTable.self();
  const known = remembered.safeParse(parseJson(context.files.readIfExists(path)));
  if (known.success && known.data.bootId === bootId) return known.data;
  const kernel = await prepareGuestKernel(context, context.home.folder("kernels"));
  const found = await probeAcceleration(context, kernel);
  context.files.replaceWithoutSync(path, Buffer.from(JSON.stringify({ bootId, ...found })), { mode: 0o600 });
  return found;
}

function parseJson(bytes: Buffer | undefined): unknown {
  try {
    return JSON.parse(bytes?.toString("utf8") ?? "null");
  } catch {
    return undefined; // a torn cache: probe again
  }
}

/** The user's choice, from KEYFRAME_ACCELERATOR; undefined for "find out". */
export function parseAccelerator(text: string | undefined): Accelerator | undefined {
  if (text === undefined || text === "" || text === "auto") return undefined;
  if (text === "kvm" || text === "hvf" || text === "tcg") return text;
  throw new KeyframeError("invalid-input", `KEYFRAME_ACCELERATOR is ${text}`, {
    hint: "use kvm, hvf, tcg or auto",
  });
}
