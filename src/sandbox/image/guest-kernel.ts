import { dirname, join } from "node:path";
import { sha256Hex } from "../../base/digest.ts";
import { KeyframeError } from "../../base/errors.ts";
import type { Files } from "../../system/files/files.ts";
import type { Processes } from "../../system/process/processes.ts";
import { type CpioEntry, encodeCpio } from "./cpio.ts";
import { readGuestProgram } from "./guest-program.ts";
import { findLz4Legacy, unpackLz4Legacy } from "./lz4-legacy.ts";

/** A kernel and the initial RAM disk with the guest program, ready for QEMU. */
export interface GuestKernel {
  readonly kernelPath: string;
  readonly initrdPath: string;
  /** Names the pair: a snapshot remembers it. */
  readonly digest: string;
}

export interface GuestKernelContext {
  readonly files: Files;
  readonly processes: Processes;
}

/** What the machine's devices need, in the order in which the kernel must have them. */
const moduleNames = [
  "drivers/virtio/virtio_ring",
  "drivers/virtio/virtio",
  "drivers/virtio/virtio_mmio",
  "drivers/char/virtio_console",
  "drivers/block/virtio_blk",
];

/**
 * Prepares the newest kernel of the distribution under `folder`; what is there already is used again. The interpreter
 * of the guest program is taken from this machine: perl-base is part of every Debian.
 */
export async function prepareGuestKernel(context: GuestKernelContext, folder: string): Promise<GuestKernel> {
  const { files } = context;
  const release = findKernelRelease(files);
  const source = `/boot/vmlinuz-${release}`;
  const initrd = await buildInitrd(context, release);
  const kernelStat = files.statTargetIfExists(source);
  const digest = sha256Hex(
    `${release}\0${kernelStat?.sizeBytes}\0${kernelStat?.mtimeMs}\0${sha256Hex(initrd)}`,
  ).slice(0, 24);
  const target = join(folder, digest);
  const prepared = { kernelPath: join(target, "kernel"), initrdPath: join(target, "initrd"), digest };
  if (files.statIfExists(prepared.kernelPath) === undefined) {
    files.makeFolder(target);
    files.replace(prepared.initrdPath, initrd, { mode: 0o600 });
    // last: its presence says that the pair is complete
    files.replace(prepared.kernelPath, unpackedKernel(files.read(source)), { mode: 0o600 });
  }
  return prepared;
}

/** The newest of /boot, a cloud kernel before others: it is smaller and starts faster. */
function findKernelRelease(files: Files): string {
  const releases = (files.listIfExists("/boot") ?? [])
    .map((entry) => /^vmlinuz-(.+)$/.exec(entry.name)?.[1])
    .filter((release) => release !== undefined)
    .filter((release) => files.statIfExists(`/lib/modules/${release}/kernel`) !== undefined)
    .sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  const release = releases.filter((each) => each.includes("cloud")).at(-1) ?? releases.at(-1);
  if (release === undefined) {
    throw new KeyframeError("program-missing", "there is no kernel for the guest in /boot", {
      hint: "on Debian and Ubuntu: apt-get install linux-image-cloud-amd64",
    });
  }
  return release;
}

/**
 * The kernel proper, which QEMU starts by its PVH entry: unpacking it inside the guest takes 0.9 s under emulation.
 * A kernel that is packed another way is started as it is.
 */
function unpackedKernel(image: Buffer): Buffer {
  const at = findLz4Legacy(image);
  if (at === -1) return image;
  const kernel = unpackLz4Legacy(image.subarray(at));
  const isElf = kernel.length > 4 && kernel.readUInt32BE(0) === 0x7f454c46;
  return isElf ? kernel : image;
}

async function buildInitrd(context: GuestKernelContext, release: string): Promise<Buffer> {
  const { files } = context;
  const perl = await findProgram(context, "perl");
  const contents = new Map<string, CpioEntry>();
  const add = (path: string, content: Uint8Array, mode = 0o100755) => {
    addFolders(contents, path);
    contents.set(path, { path, mode, content });
  };
  add("init", readGuestProgram(files));
  add("bin/perl", files.read(perl));
  for (const library of await sharedLibraries(context, perl)) add(library.slice(1), files.read(library));
  for (const [name, path] of await perlModules(context, perl)) add(name, files.read(path), 0o100644);
  const order: string[] = [];
  for (const module of moduleNames) {
    const path = `/lib/modules/${release}/kernel/${module}.ko`;
    // what is not a module is built in
    if (files.statIfExists(path) === undefined) continue;
    const name = `${module.split("/").at(-1)}.ko`;
    order.push(name);
    add(`modules/${name}`, files.read(path), 0o100644);
  }
  add("modules/order", Buffer.from(order.map((name) => `${name}\n`).join("")), 0o100644);
  return encodeCpio([...contents.values()]);
}

function addFolders(contents: Map<string, CpioEntry>, path: string): void {
  const folder = dirname(path);
  if (folder === "." || contents.has(folder)) return;
  addFolders(contents, folder);
  contents.set(folder, { path: folder, mode: 0o040755, content: Buffer.alloc(0) });
}

async function findProgram(context: GuestKernelContext, name: string): Promise<string> {
  const found = ["/usr/bin", "/bin", "/usr/local/bin"].map((folder) => `${folder}/${name}`);
  const path = found.find((each) => context.files.statTargetIfExists(each) !== undefined);
  if (path !== undefined) return path;
  throw new KeyframeError("program-missing", `cannot find ${name}, which runs the guest program`, {
    hint: `on Debian and Ubuntu: apt-get install ${name}-base`,
  });
}

/** Absolute paths of what the dynamic loader would load, the loader included. */
async function sharedLibraries(context: GuestKernelContext, program: string): Promise<string[]> {
  const result = await context.processes.run("ldd", [program], { timeoutMs: 10_000 });
  const text = result.stdout.toString("utf8");
  return [...text.matchAll(/(?:=>\s*|^\s*)(\/\S+)\s+\(0x/gm)]
    .map((match) => match[1] ?? "")
    .filter((path) => path !== "");
}

/** strict and warnings: the path inside the initial RAM disk, and here. */
async function perlModules(context: GuestKernelContext, perl: string): Promise<[string, string][]> {
  const script =
    "require strict; require warnings; print join qq{\\n}, $INC{'strict.pm'}, $INC{'warnings.pm'}";
  const result = await context.processes.run(perl, ["-e", script], { timeoutMs: 10_000 });
  return result.stdout
    .toString("utf8")
    .split("\n")
    .filter((path) => path.startsWith("/"))
    .map((path) => [path.slice(1), path]);
}
