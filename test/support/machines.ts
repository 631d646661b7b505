import { existsSync, readdirSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { delimiter, join } from "node:path";

/** Why no virtual machine can run here at all, or undefined: then a machine that does not run is a failed test. */
export function machinesProblem(): string | undefined {
  if (process.platform !== "linux" || process.arch !== "x64") {
    return `guests run on Linux and x86-64 only, not on ${process.platform} and ${process.arch}`;
  }
  const missing = ["qemu-system-x86_64", "mmdebstrap", "mke2fs"].filter((name) => !isInstalled(name));
  if (missing.length > 0) return `not installed: ${missing.join(", ")}`;
  const kernels = existsSync("/boot")
    ? readdirSync("/boot").filter((name) => name.startsWith("vmlinuz-"))
    : [];
  return kernels.length === 0 ? "there is no kernel for the guest in /boot" : undefined;
}

/** Whether two files of machine tests may run at a time: one needs up to 4 GiB, and a processor for its machine. */
export const roomForTwoMachines = (): boolean => totalmem() >= 12 * 1024 ** 3 && availableParallelism() >= 2;

function isInstalled(program: string): boolean {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  return folders.some((folder) => existsSync(join(folder, program)));
}
