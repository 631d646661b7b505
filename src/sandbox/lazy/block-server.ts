import * as z from "zod";
import { isKeyframeError, KeyframeError } from "../../base/errors.ts";
import { startDetached } from "../../system/process/detached-process.ts";
import type { ProcessIdentity } from "../../system/process/process-table.ts";
import type { SnapshotId } from "../ids.ts";
import { lockInHome, type SandboxWorld, withLock } from "../store/home.ts";
import { processIdentity } from "../store/records.ts";
import { listSandboxes, sandboxState } from "../store/sandbox-store.ts";
import { type ReadySnapshot, snapshotFiles } from "../store/snapshot-store.ts";

// The data of a snapshot that was pulled lazily is shown by a process of its own, one for each such snapshot, found
// by its files as a machine is. It ends when nothing has run from the snapshot for a while.

export function blockServerFiles(world: SandboxWorld, id: SnapshotId) {
  const folder = `${snapshotFiles(world, id).folder}/served`;
  return {
    folder,
    record: `${folder}/server.json`,
    socket: `${folder}/nbd.sock`,
    log: `${folder}/server.log`,
    /** Its file `nbd` is the memory, through FUSE. */
    memoryFolder: `${folder}/memory`,
    memoryPid: `${folder}/memory.pid`,
    cache: (image: string) => `${folder}/cache/${image}`,
  };
}

const serverRecord = z.object({
  format: z.literal(1),
  process: processIdentity,
  /** The program that shows the memory as a file, if there is one. */
  memoryProcess: processIdentity.optional(),
  /** What machines map. */
  memoryPath: z.string(),
  /** Layers that it shows, by id. */
  layers: z.array(z.string()),
});
export type BlockServerRecord = z.infer<typeof serverRecord>;

/** Undefined if there is none, or if what is written about it is not whole. */
export function readBlockServer(world: SandboxWorld, id: SnapshotId): BlockServerRecord | undefined {
  const bytes = world.files.readIfExists(blockServerFiles(world, id).record);
  try {
    const parsed = serverRecord.safeParse(JSON.parse(bytes?.toString("utf8") ?? "null"));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined; // not JSON: written while the machine crashed
  }
}

export interface ServedSnapshot {
  readonly memoryPath: string;
  readonly socketPath: string;
  readonly layers: ReadonlySet<string>;
}

const startTimeoutMs = 10 * 60_000;
const pollMs = 5;

/** Finds the block server of a snapshot or starts one. The caller has recorded that it uses the snapshot. */
export async function ensureBlockServer(
  world: SandboxWorld,
  snapshot: ReadySnapshot,
): Promise<ServedSnapshot> {
  const files = blockServerFiles(world, snapshot.id);
  const lock = await lockInHome(world, blockServerLock(snapshot.id), startTimeoutMs);
  try {
    const known = readBlockServer(world, snapshot.id);
    const isThere = known !== undefined && isServing(world, known);
    if (!isThere) await clearAway(world, snapshot.id);
    const server = isThere ? known : await start(world, snapshot);
    return { memoryPath: server.memoryPath, socketPath: files.socket, layers: new Set(server.layers) };
  } finally {
    await lock.release();
  }
}

/** Held while a server is started or decides to end. */
export function blockServerLock(id: SnapshotId): string {
  return `serve-${id}`;
}

function isServing(world: SandboxWorld, server: BlockServerRecord): boolean {
  const { processTable } = world;
  if (!processTable.isRunning(server.process)) return false;
  return server.memoryProcess === undefined || processTable.isRunning(server.memoryProcess);
}

async function start(world: SandboxWorld, snapshot: ReadySnapshot): Promise<BlockServerRecord> {
  const files = blockServerFiles(world, snapshot.id);
  world.files.makeFolder(files.folder, { mode: 0o700 });
  const child = await startDetached(
    world.program.node,
    [world.program.entry, "snapshot", "serve", snapshot.id, "--home", world.home.root],
    { logPath: files.log, cwd: files.folder },
  );
  let ended: number | undefined;
  void child.exited.then((code) => {
    ended = code;
  });
  const giveUpAtMs = world.clock.monotonicMs() + startTimeoutMs;
  for (;;) {
    const server = readBlockServer(world, snapshot.id);
    if (server !== undefined) return server;
    if (ended !== undefined || world.clock.monotonicMs() > giveUpAtMs) {
      const late = world.processTable.identify(child.pid);
      if (late !== undefined) world.processTable.signal(late, "SIGTERM");
      const log = world.files.readIfExists(files.log)?.toString("utf8").trim().slice(-2000) ?? "";
      throw new KeyframeError(
        "store-unavailable",
        `the data of snapshot ${snapshot.name ?? snapshot.id} cannot be served: ${log}`,
        { hint: `its log is ${files.log}` },
      );
    }
    await world.clock.sleep(pollMs);
  }
}

/** Sandboxes that need the server: machines that run on the snapshot's memory or disk. */
export function isServerNeeded(
  world: SandboxWorld,
  snapshot: SnapshotId,
  layers: ReadonlySet<string>,
): boolean {
  return listSandboxes(world).some((each) => {
    const uses = each.base === snapshot || each.disk.some((layer) => layers.has(layer.id));
    return uses && ["running", "starting", "pooled"].includes(sandboxState(world, each));
  });
}

/** Ends the server of a snapshot that is about to be removed, and what it shows. */
export async function endBlockServer(world: SandboxWorld, id: SnapshotId): Promise<void> {
  if (world.files.statIfExists(blockServerFiles(world, id).folder) === undefined) return;
  await withLock(world, blockServerLock(id), () => clearAway(world, id));
}

/**
 * Removes what a server left that was killed: its mount, the program behind it, its socket; and what it has fetched, if
 * that is not needed any more.
 */
export async function clearDeadBlockServer(
  world: SandboxWorld,
  id: SnapshotId,
  { keepCache }: { readonly keepCache: boolean },
): Promise<void> {
  const { folder } = blockServerFiles(world, id);
  if (world.files.statIfExists(folder) === undefined) return;
  const lock = await lockInHome(world, blockServerLock(id), 0).catch((error: unknown) => {
    if (isKeyframeError(error, "lock-busy")) return undefined; // one is being started
    throw error;
  });
  if (lock === undefined) return;
  try {
    const server = readBlockServer(world, id);
    if (server !== undefined && isServing(world, server)) return;
    await clearAway(world, id);
    if (!keepCache) world.files.removeTree(folder);
  } finally {
    await lock.release();
  }
}

async function clearAway(world: SandboxWorld, id: SnapshotId): Promise<void> {
  const files = blockServerFiles(world, id);
  const server = readBlockServer(world, id);
  if (server !== undefined) {
    await endProcess(world, server.process);
  }
  const shower = server?.memoryProcess ?? strayMemoryProcess(world, files);
  if (shower !== undefined) await endProcess(world, shower);
  await unmountStale(world, files.memoryFolder);
  for (const path of [files.record, files.socket, files.memoryPid]) world.files.remove(path);
}

/** Undefined while the program that shows the memory has not said its process id: it does when the memory is there. */
export function readMemoryPid(
  world: SandboxWorld,
  files: ReturnType<typeof blockServerFiles>,
): number | undefined {
  const text = world.files.readIfExists(files.memoryPid)?.toString("latin1") ?? "";
  return /^[1-9]\d*\s*$/.test(text) ? Number(text) : undefined;
}

/** Of a server that ended before it was recorded: a pid file names it, its command line proves it. */
function strayMemoryProcess(
  world: SandboxWorld,
  files: ReturnType<typeof blockServerFiles>,
): ProcessIdentity | undefined {
  const pid = readMemoryPid(world, files);
  if (pid === undefined) return undefined;
  const commandLine = world.files.readIfExists(`/proc/${pid}/cmdline`)?.toString("latin1") ?? "";
  return commandLine.includes(files.socket) ? world.processTable.identify(pid) : undefined;
}

const endTimeoutMs = 5_000;

async function endProcess(world: SandboxWorld, process: ProcessIdentity): Promise<void> {
  const { processTable, clock } = world;
  const giveUpAtMs = clock.monotonicMs() + endTimeoutMs;
  processTable.signal(process, "SIGTERM");
  while (processTable.isRunning(process)) {
    if (clock.monotonicMs() > giveUpAtMs) processTable.signal(process, "SIGKILL");
    await clock.sleep(pollMs);
  }
}

/** A FUSE program that was killed leaves a mount that answers errors. */
async function unmountStale(world: SandboxWorld, folder: string): Promise<void> {
  const mounts = world.files.readIfExists("/proc/self/mounts")?.toString("utf8") ?? "";
  const isMounted = mounts.split("\n").some((line) => line.split(" ")[1] === folder);
  if (!isMounted) return;
  for (const [program, ...args] of [
    ["fusermount3", "-u", "-z", folder],
    ["umount", "-l", folder],
  ] as const) {
    // one of them does it: the first for a user, the second for root
    const result = await world.processes.run(program, args).catch(() => undefined);
    if (result?.code === 0) return;
  }
}
