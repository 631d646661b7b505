import { join } from "node:path";
import { KeyframeError } from "../../base/errors.ts";
import type { Clock } from "../../system/clock.ts";
import type { Files } from "../../system/files/files.ts";
import { acquireNamedLock, type HeldLock } from "../../system/locks/named-lock.ts";
import type { ProcessMemory } from "../../system/process/process-memory.ts";
import type { ProcessTable } from "../../system/process/process-table.ts";
import type { Processes } from "../../system/process/processes.ts";
import { type Random, randomHex } from "../../system/random.ts";
import type { Hypervisor } from "../hypervisor.ts";
import type { DiskLayerId, SandboxId, SnapshotId } from "../ids.ts";

/** Everything that sandboxes touch. */
export interface SandboxContext {
  readonly files: Files;
  readonly processes: Processes;
  readonly clock: Clock;
  readonly random: Random;
  readonly processTable: ProcessTable;
  readonly processMemory: ProcessMemory;
  readonly hypervisor: Hypervisor;
  readonly home: SandboxHome;
  /** "linux", "darwin". */
  readonly platform: string;
  readonly cores: number;
  /** How this very program is started: absolute paths of Node and of the entry. */
  readonly program: { readonly node: string; readonly entry: string };
  /** Says something that the user should know and that stops nothing. */
  readonly warn: (text: string) => void;
}

/** Where the state of sandboxes is: files of this user only. */
export interface SandboxHome {
  readonly root: string;
  /** What the identities of guests are made from. */
  readonly secret: string;
  imageRecord(name: string): string;
  diskLayer(id: DiskLayerId, format: "qcow2" | "raw"): string;
  diskLayerRecord(id: DiskLayerId): string;
  sandboxFolder(id: SandboxId): string;
  snapshotFolder(id: SnapshotId): string;
  /** A file whose content is the id that owns the name. */
  nameClaim(kind: "sandbox" | "snapshot", name: string): string;
  memoryImage(id: SnapshotId): string;
  zeroMemory(memoryMiB: number): string;
  folder(kind: HomeFolder): string;
}

export type HomeFolder =
  | "images"
  | "disks"
  | "kernels"
  | "sandboxes"
  | "snapshots"
  | "memory"
  | "staging"
  | "names"
  | "agents"
  | "locks";

const folders: readonly HomeFolder[] = [
  "images",
  "disks",
  "kernels",
  "sandboxes",
  "snapshots",
  "memory",
  "staging",
  "names",
  "agents",
  "locks",
];

/** KEYFRAME_SANDBOX_HOME, else below the user's data directory. */
export function locateSandboxHome(env: NodeJS.ProcessEnv): string {
  const set = env["KEYFRAME_SANDBOX_HOME"];
  if (set !== undefined && set !== "") return absolute(set);
  const data =
    env["XDG_DATA_HOME"] ?? (env["HOME"] === undefined ? undefined : `${env["HOME"]}/.local/share`);
  if (data === undefined) {
    throw new KeyframeError("usage", "neither HOME nor KEYFRAME_SANDBOX_HOME is set");
  }
  return absolute(`${data}/keyframe`);
}

/** Makes the directories if they are not there. */
export function openSandboxHome(files: Files, random: Random, root: string): SandboxHome {
  for (const folder of folders) files.makeFolder(join(root, folder), { mode: 0o700 });
  files.createIfAbsent(join(root, "secret"), Buffer.from(randomHex(random, 32)), { mode: 0o600 });
  return {
    root,
    secret: files.read(join(root, "secret")).toString("latin1"),
    imageRecord: (name) => join(root, "images", `${name}.json`),
    diskLayer: (id, format) => join(root, "disks", `${id}.${format}`),
    diskLayerRecord: (id) => join(root, "disks", `${id}.json`),
    sandboxFolder: (id) => join(root, "sandboxes", id),
    snapshotFolder: (id) => join(root, "snapshots", id),
    nameClaim: (kind, name) => join(root, "names", `${kind}.${name}`),
    memoryImage: (id) => join(root, "memory", `${id}.mem`),
    zeroMemory: (memoryMiB) => join(root, "memory", `zero-${memoryMiB}.mem`),
    folder: (kind) => join(root, kind),
  };
}

/** A new path for something unfinished. It carries who works on it, so that what a dead process left can be told. */
export function stagingPath(context: SandboxContext, kind: string): string {
  const { pid, startedAt } = context.processTable.self();
  return join(context.home.folder("staging"), `${kind}.${pid}.${startedAt}.${randomHex(context.random, 12)}`);
}

/** True for a staging entry whose process has ended. */
export function isLeftInStaging(context: SandboxContext, name: string): boolean {
  const [, pid, startedAt] = name.split(".");
  const process = context.processTable.identify(Number(pid));
  return process === undefined || process.startedAt !== startedAt;
}

/** Held while something that uses a snapshot is recorded, and while snapshots are removed: never in between. */
export const snapshotsLock = "snapshots";

/** One holder at a time, over all processes; given back by the kernel if the holder dies. */
export function lockInHome(context: SandboxContext, name: string, waitMs = 30_000): Promise<HeldLock> {
  return acquireNamedLock(join(context.home.folder("locks"), name), { waitMs, clock: context.clock });
}

export async function withLock<T>(context: SandboxContext, name: string, work: () => Promise<T>): Promise<T> {
  const lock = await lockInHome(context, name);
  try {
    return await work();
  } finally {
    await lock.release();
  }
}

function absolute(path: string): string {
  if (!path.startsWith("/"))
    throw new KeyframeError("usage", `KEYFRAME_SANDBOX_HOME is not an absolute path: ${path}`);
  return path.replace(/\/+$/, "");
}
