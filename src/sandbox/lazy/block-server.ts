import * as z from "zod";
import { isKeyframeError, KeyframeError } from "../../base/errors.ts";
import { startDetached } from "../../system/process/detached-process.ts";
import type { ProcessIdentity } from "../../system/process/process-table.ts";
import type { SnapshotId } from "../ids.ts";
import { lockInHome, type SandboxContext, withLock } from "../store/home.ts";
import { processIdentity } from "../store/records.ts";
import { listSandboxes, sandboxState } from "../store/sandbox-store.ts";
import { type ReadySnapshot, snapshotFiles } from "../store/snapshot-store.ts";

// The data of a snapshot that was pulled lazily is shown by a process of its own, one for each such snapshot, found
// by its files as a machine is. It ends when nothing has run from the snapshot for a while.

export function blockServerFiles(context: SandboxContext, id: SnapshotId) {
  const folder = `${snapshotFiles(context, id).folder}/served`;
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
export function readBlockServer(context: SandboxContext, id: SnapshotId): BlockServerRecord | undefined {
  const bytes = context.files.readIfExists(blockServerFiles(context, id).record);
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
  context: SandboxContext,
  snapshot: ReadySnapshot,
): Promise<ServedSnapshot> {
  const files = blockServerFiles(context, snapshot.id);
  const lock = await lockInHome(context, blockServerLock(snapshot.id), startTimeoutMs);
  try {
    const known = readBlockServer(context, snapshot.id);
    const isThere = known !== undefined && isServing(context, known);
    if (!isThere) await clearAway(context, snapshot.id);
    const server = isThere ? known : await start(context, snapshot);
    return { memoryPath: server.memoryPath, socketPath: files.socket, layers: new Set(server.layers) };
  } finally {
    await lock.release();
  }
}

/** Held while a server is started or decides to end. */
export function blockServerLock(id: SnapshotId): string {
  return `serve-${id}`;
}

function isServing(context: SandboxContext, server: BlockServerRecord): boolean {
  const { processTable } = context;
  if (!processTable.isRunning(server.process)) return false;
  return server.memoryProcess === undefined || processTable.isRunning(server.memoryProcess);
}

async function start(context: SandboxContext, snapshot: ReadySnapshot): Promise<BlockServerRecord> {
  const files = blockServerFiles(context, snapshot.id);
  context.files.makeFolder(files.folder, { mode: 0o700 });
  const child = await startDetached(
    context.program.node,
    [context.program.entry, "snapshot", "serve", snapshot.id, "--home", context.home.root],
    { logPath: files.log, cwd: files.folder },
  );
  let ended: number | undefined;
  void child.exited.then((code) => {
    ended = code;
  });
  const giveUpAtMs = context.clock.monotonicMs() + startTimeoutMs;
  for (;;) {
    const server = readBlockServer(context, snapshot.id);
    if (server !== undefined) return server;
    if (ended !== undefined || context.clock.monotonicMs() > giveUpAtMs) {
      const late = context.processTable.identify(child.pid);
      if (late !== undefined) context.processTable.signal(late, "SIGTERM");
      const log = context.files.readIfExists(files.log)?.toString("utf8").trim().slice(-2000) ?? "";
      throw new KeyframeError(
        "store-unavailable",
        `the data of snapshot ${snapshot.name ?? snapshot.id} cannot be served: ${log}`,
        { hint: `its log is ${files.log}` },
      );
    }
    await context.clock.sleep(pollMs);
  }
}

/** Sandboxes that need the server: machines that run on the snapshot's memory or disk. */
export function isServerNeeded(
  context: SandboxContext,
  snapshot: SnapshotId,
  layers: ReadonlySet<string>,
): boolean {
  return listSandboxes(context).some((each) => {
    const uses = each.base === snapshot || each.disk.some((layer) => layers.has(layer.id));
    return uses && ["running", "starting", "pooled"].includes(sandboxState(context, each));
  });
}

/** Ends the server of a snapshot that is about to be removed, and what it shows. */
export async function endBlockServer(context: SandboxContext, id: SnapshotId): Promise<void> {
  if (context.files.statIfExists(blockServerFiles(context, id).folder) === undefined) return;
  await withLock(context, blockServerLock(id), () => clearAway(context, id));
}

/**
 * Removes what a server left that was killed: its mount, the program behind it, its socket; and what it has fetched, if
 * that is not needed any more.
 */
export async function clearDeadBlockServer(
  context: SandboxContext,
  id: SnapshotId,
  { keepCache }: { readonly keepCache: boolean },
): Promise<void> {
  const { folder } = blockServerFiles(context, id);
  if (context.files.statIfExists(folder) === undefined) return;
  const lock = await lockInHome(context, blockServerLock(id), 0).catch((error: unknown) => {
    if (isKeyframeError(error, "lock-busy")) return undefined; // one is being started
    throw error;
  });
  if (lock === undefined) return;
  try {
    const server = readBlockServer(context, id);
    if (server !== undefined && isServing(context, server)) return;
    await clearAway(context, id);
    if (!keepCache) context.files.removeTree(folder);
  } finally {
    await lock.release();
  }
}

async function clearAway(context: SandboxContext, id: SnapshotId): Promise<void> {
  const files = blockServerFiles(context, id);
  const server = readBlockServer(context, id);
  if (server !== undefined) {
    await endProcess(context, server.process);
  }
  const shower = server?.memoryProcess ?? strayMemoryProcess(context, files);
  if (shower !== undefined) await endProcess(context, shower);
  await unmountStale(context, files.memoryFolder);
  for (const path of [files.record, files.socket, files.memoryPid]) context.files.remove(path);
}

/** Undefined while the program that shows the memory has not said its process id: it does when the memory is there. */
export function readMemoryPid(
  context: SandboxContext,
  files: ReturnType<typeof blockServerFiles>,
): number | undefined {
  const text = context.files.readIfExists(files.memoryPid)?.toString("latin1") ?? "";
  return /^[1-9]\d*\s*$/.test(text) ? Number(text) : undefined;
}

/** Of a server that ended before it was recorded: a pid file names it, its command line proves it. */
function strayMemoryProcess(
  context: SandboxContext,
  files: ReturnType<typeof blockServerFiles>,
): ProcessIdentity | undefined {
  const pid = readMemoryPid(context, files);
  if (pid === undefined) return undefined;
  const commandLine = context.files.readIfExists(`/proc/${pid}/cmdline`)?.toString("latin1") ?? "";
  return commandLine.includes(files.socket) ? context.processTable.identify(pid) : undefined;
}

const endTimeoutMs = 5_000;

async function endProcess(context: SandboxContext, process: ProcessIdentity): Promise<void> {
  const { processTable, clock } = context;
  const giveUpAtMs = clock.monotonicMs() + endTimeoutMs;
  processTable.signal(process, "SIGTERM");
  while (processTable.isRunning(process)) {
    if (clock.monotonicMs() > giveUpAtMs) processTable.signal(process, "SIGKILL");
    await clock.sleep(pollMs);
  }
}

/** A FUSE program that was killed leaves a mount that answers errors. */
async function unmountStale(context: SandboxContext, folder: string): Promise<void> {
  const mounts = context.files.readIfExists("/proc/self/mounts")?.toString("utf8") ?? "";
  const isMounted = mounts.split("\n").some((line) => line.split(" ")[1] === folder);
  if (!isMounted) return;
  for (const [program, ...args] of [
    ["fusermount3", "-u", "-z", folder],
    ["umount", "-l", folder],
  ] as const) {
    // one of them does it: the first for a user, the second for root
    const result = await context.processes.run(program, args).catch(() => undefined);
    if (result?.code === 0) return;
  }
}
