import type { MachineShape } from "../hypervisor.ts";

export interface Confinement {
  readonly shape: Pick<MachineShape, "memoryMiB" | "diskBytes">;
  readonly platform: string;
  /** /proc/self/status of the process that starts it. */
  readonly status: string;
}

/** QEMU's own mappings beside the guest's memory: code, threads, the emulator's buffer. 1.2 GiB are usual. */
const ownAddressSpaceBytes = 8 * 1024 ** 3;

/** What the metadata of a disk layer may take beside its data. */
const layerOverheadBytes = 256 * 1024 ** 2;

/**
 * The words before a hypervisor's command line that take from it what it does not need: a bound on its address space
 * and on each file that it writes (its disk layer, and the console that the guest fills), no core file with a guest's
 * memory in it; and where root starts it, all of root's capabilities, for good.
 */
export function planConfinement({ shape, platform, status }: Confinement): readonly string[] {
  if (platform !== "linux") return [];
  const limits = [
    "prlimit",
    "--core=0",
    `--as=${2 * shape.memoryMiB * 1024 ** 2 + ownAddressSpaceBytes}`,
    `--fsize=${shape.diskBytes + Math.ceil(shape.diskBytes / 16) + layerOverheadBytes}`,
  ];
  const rights = [
    "setpriv",
    "--no-new-privs",
    "--bounding-set=-all",
    "--inh-caps=-all",
    "--ambient-caps=-all",
  ];
  return hasCapability(status, capSetpcap) ? [...limits, ...rights] : limits;
}

/** CAP_SETPCAP: what the dropping of capabilities takes. A user has none to drop; a stripped root keeps what is left. */
const capSetpcap = 8;

function hasCapability(status: string, number: number): boolean {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0"}`);
  return ((effective >> BigInt(number)) & 1n) === 1n;
}
