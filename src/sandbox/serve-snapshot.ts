import { join } from "node:path";
import { isKeyframeError, KeyframeError } from "../base/errors.ts";
import { type BlockDevice, readOnlyDevice } from "../blocks/block-device.ts";
import { openCacheFolder } from "../blocks/cache-folder.ts";
import { type ChunkCache, openChunkCache } from "../blocks/chunk-cache.ts";
import { parseImageId } from "../blocks/ids.ts";
import type { ImageReader } from "../blocks/image-reader.ts";
import type { ImageRepository } from "../blocks/images/image-repository.ts";
import { openImage } from "../blocks/images/layered-image.ts";
import { readManifest } from "../blocks/images/read-image.ts";
import { openRawImage } from "../blocks/raw-image.ts";
import { encodeTouchOrder, parseTouchOrder } from "../blocks/touch-order.ts";
import { touchWindowBytes } from "../blocks/touch-recorder.ts";
import { startNbdServer } from "../nbd/server.ts";
import { openNodeBlockFile } from "../system/block-file.ts";
import { openDataFile } from "../system/data-file.ts";
import type { HeldLock } from "../system/named-lock.ts";
import type { RunningProcess } from "../system/processes.ts";
import { listenNodeSocket } from "../system/sockets.ts";
import { type BlockServerRecord, blockServerFiles, blockServerLock, isServerNeeded } from "./block-server.ts";
import { lockInHome, type SandboxWorld } from "./home.ts";
import { ensureMemoryFrom } from "./memory-cache.ts";
import { readDiskLayerRecord } from "./records.ts";
import { type MemoryDiffImage, openChainMemory, openDiffImage } from "./remote-memory.ts";
import { openChain, type ReadySnapshot, snapshotFiles } from "./snapshot-store.ts";

export interface ServeOptions {
  /** It ends when nothing has used the snapshot for this long. */
  readonly idleMs: number;
  /** Resolves when it is told to end. */
  readonly stopped: Promise<unknown>;
  readonly signal: AbortSignal;
}

/** The kernel asks for 1 MiB around each touched page: larger chunks would bring the whole memory with a few touches. */
const memoryChunkBytes = 1024 * 1024;

const lookMs = 1_000;
const memoryExport = "memory";

/**
 * Shows the memory and the disk layers of a lazily pulled snapshot to machines: each through a cache that keeps what
 * was fetched, in the order in which it was needed the last time. The memory is a file through FUSE; where there is
 * no FUSE it is fetched whole before anything starts, and only the disk is lazy.
 */
export async function serveSnapshot(
  world: SandboxWorld,
  repository: ImageRepository,
  snapshot: ReadySnapshot,
  options: ServeOptions,
): Promise<void> {
  const files = blockServerFiles(world, snapshot.id);
  const opened: ImageReader[] = [];
  let ending: HeldLock | undefined;
  const open = async (image: string, chunkBytes?: number) => {
    const cache = await openCached(world, repository, {
      image,
      folder: files.cache(image),
      signal: options.signal,
      ...(chunkBytes === undefined ? {} : { chunkBytes }),
    });
    opened.push(cache);
    return cache;
  };
  try {
    const [memory, layers] = await Promise.all([
      openMemory(world, snapshot, open),
      Promise.all(
        remoteLayers(world, snapshot).map(async ([id, image]) => ({ id, image: await open(image) })),
      ),
    ]);
    opened.push(memory);
    world.files.remove(files.socket);
    const server = await startNbdServer(
      {
        address: { path: files.socket },
        exports: [
          { name: memoryExport, device: privatelyMapped(memory) },
          ...layers.map(({ id, image }) => ({ name: id, device: readOnlyDevice(image) })),
        ],
      },
      { listenSocket: listenNodeSocket, clock: world.clock },
    );
    const shown = await showMemory(world, snapshot, memory);
    try {
      const layerIds = layers.map(({ id }) => id);
      writeServerRecord(world, snapshot, { shown, layers: layerIds });
      ending = await untilIdle(world, snapshot, { ...options, layers: new Set(layerIds) });
    } finally {
      world.files.remove(files.record);
      shown.process?.kill("SIGTERM");
      await shown.process?.exited;
      await server.close();
    }
  } finally {
    for (const reader of opened) await reader.close();
    await ending?.release();
  }
}

/** Layers whose bytes are not here, with their images. */
function remoteLayers(world: SandboxWorld, snapshot: ReadySnapshot): [string, string][] {
  return snapshot.disk.flatMap((layer): [string, string][] => {
    const image = snapshot.remote?.disk[layer.id];
    const record = readDiskLayerRecord(world.files, world.home.diskLayerRecord(layer.id));
    return record?.remote === true && image !== undefined ? [[layer.id, image]] : [];
  });
}

async function openMemory(
  world: SandboxWorld,
  snapshot: ReadySnapshot,
  open: (image: string, chunkBytes: number) => Promise<ImageReader>,
): Promise<ImageReader> {
  const chain: MemoryDiffImage[] = [];
  for (const link of openChain(world, snapshot)) {
    const path = snapshotFiles(world, link.id).memory;
    const reader =
      link.remote === undefined
        ? openRawImage(openNodeBlockFile(path, { mode: "read" }))
        : await open(link.remote.memory, memoryChunkBytes);
    const { tableDigest } = link.memory;
    chain.push(await openDiffImage(reader, { tableDigest, what: `the memory of snapshot ${link.id}` }));
  }
  return openChainMemory(chain, snapshot.memory.memoryBytes);
}

/** An image through a cache folder. Fetches what was touched first the last time, and notes the order of this time. */
async function openCached(
  world: SandboxWorld,
  repository: ImageRepository,
  options: {
    readonly image: string;
    readonly folder: string;
    readonly chunkBytes?: number;
    readonly signal: AbortSignal;
  },
): Promise<ImageReader> {
  const id = parseImageId(options.image);
  const manifest = await readManifest(repository.store, id, options.signal);
  const { sizeBytes, blockSizeBytes } = manifest;
  const store = openCacheFolder(
    { folder: options.folder, imageId: Buffer.from(id, "hex"), sizeBytes, blockSizeBytes },
    { ...world, openBlockFile: repository.openFile },
  );
  const cache = openChunkCache({
    source: openImage(repository, manifest),
    store,
    recordTouches: true,
    ...(options.chunkBytes === undefined ? {} : { chunkBytes: options.chunkBytes }),
  });
  const path = join(options.folder, "touches");
  prefetchRecorded(world, cache, path);
  let closed: Promise<void> | undefined;
  return {
    ...cache,
    close() {
      closed ??= closeWithTouches(world, cache, path);
      return closed;
    },
  };
}

function prefetchRecorded(world: SandboxWorld, cache: ChunkCache, path: string): void {
  const recorded = world.files.readIfExists(path);
  if (recorded === undefined) return;
  try {
    const { windowBytes, windows } = parseTouchOrder(recorded);
    if (windowBytes !== touchWindowBytes) return;
    // a reader that needs the bytes meets the same error, and reports it
    cache.prefetch(windows).catch(() => undefined);
  } catch {
    // a torn record: nothing is known about the last time
  }
}

async function closeWithTouches(world: SandboxWorld, cache: ChunkCache, path: string): Promise<void> {
  try {
    const windows = cache.recordedTouches();
    if (windows.length > 0) {
      world.files.replaceLoosely(path, encodeTouchOrder({ windowBytes: touchWindowBytes, windows }));
    }
  } finally {
    await cache.close();
  }
}

/** The hypervisor opens the memory for writing although it maps it privately; nothing is ever written. */
function privatelyMapped(memory: ImageReader): BlockDevice {
  return { ...readOnlyDevice(memory), readOnly: false };
}

interface ShownMemory {
  readonly path: string;
  readonly process?: RunningProcess;
}

const fuseTimeoutMs = 10_000;

async function showMemory(
  world: SandboxWorld,
  snapshot: ReadySnapshot,
  memory: ImageReader,
): Promise<ShownMemory> {
  const files = blockServerFiles(world, snapshot.id);
  const mounted = await mountMemory(world, files);
  if (mounted !== undefined) return { path: `${files.memoryFolder}/nbd`, process: mounted };
  world.warn("there is no FUSE here (nbdfuse, /dev/fuse): the whole memory is fetched first");
  const path = await ensureMemoryFrom(world, snapshot, async (temporary) => {
    const target = openDataFile(temporary, "create");
    try {
      target.resize(memory.sizeBytes);
      await copyData(memory, (offset, bytes) => target.write(offset, bytes));
    } finally {
      target.close();
    }
  });
  return { path };
}

const copyBytes = 4 * 1024 * 1024;

async function copyData(memory: ImageReader, write: (offset: number, bytes: Buffer) => void): Promise<void> {
  const room = Buffer.allocUnsafe(copyBytes);
  for (const { kind, offsetBytes, lengthBytes } of memory.extents({
    offsetBytes: 0,
    lengthBytes: memory.sizeBytes,
  })) {
    if (kind === "zero") continue;
    for (let done = 0; done < lengthBytes; done += copyBytes) {
      const part = room.subarray(0, Math.min(copyBytes, lengthBytes - done));
      await memory.read(part, offsetBytes + done);
      write(offsetBytes + done, part);
    }
  }
}

/** Undefined where FUSE cannot be used. */
async function mountMemory(
  world: SandboxWorld,
  files: ReturnType<typeof blockServerFiles>,
): Promise<RunningProcess | undefined> {
  if (world.files.statIfExists("/dev/fuse") === undefined) return undefined;
  world.files.makeFolder(files.memoryFolder, { mode: 0o700 });
  const client = world.processes.start("nbdfuse", [
    "--pidfile",
    files.memoryPid,
    files.memoryFolder,
    `nbd+unix:///${memoryExport}?socket=${files.socket}`,
  ]);
  const ended = client.exited.then(
    () => true,
    () => true, // it is not installed
  );
  const giveUpAtMs = world.clock.monotonicMs() + fuseTimeoutMs;
  while (world.files.statIfExists(files.memoryPid) === undefined) {
    if (await Promise.race([ended, world.clock.sleep(2)])) return undefined;
    if (world.clock.monotonicMs() < giveUpAtMs) continue;
    client.kill("SIGKILL");
    return undefined;
  }
  return client;
}

function writeServerRecord(
  world: SandboxWorld,
  snapshot: ReadySnapshot,
  { shown, layers }: { readonly shown: ShownMemory; readonly layers: readonly string[] },
): void {
  const files = blockServerFiles(world, snapshot.id);
  const pid = Number(world.files.readIfExists(files.memoryPid)?.toString("latin1") ?? Number.NaN);
  const memoryProcess = shown.process === undefined ? undefined : world.processTable.identify(pid);
  if (shown.process !== undefined && memoryProcess === undefined) {
    throw new KeyframeError("program-failed", "nbdfuse ended while it started");
  }
  const record: BlockServerRecord = {
    format: 1,
    process: world.processTable.self(),
    ...(memoryProcess === undefined ? {} : { memoryProcess }),
    memoryPath: shown.path,
    layers: [...layers],
  };
  world.files.replaceLoosely(files.record, Buffer.from(JSON.stringify(record)), { mode: 0o600 });
}

/**
 * Until it is told to end, or nothing has needed it for a while: then nobody can be starting either, and the lock that
 * is answered keeps it so until all is closed.
 */
async function untilIdle(
  world: SandboxWorld,
  snapshot: ReadySnapshot,
  options: ServeOptions & { readonly layers: ReadonlySet<string> },
): Promise<HeldLock | undefined> {
  const { clock } = world;
  let usedAtMs = clock.monotonicMs();
  const isNeeded = () => isServerNeeded(world, snapshot.id, options.layers);
  const told = options.stopped.then(() => true);
  for (;;) {
    if (await Promise.race([told, clock.sleep(lookMs).then(() => false)])) return undefined;
    if (isNeeded()) usedAtMs = clock.monotonicMs();
    if (clock.monotonicMs() - usedAtMs < options.idleMs) continue;
    // whoever starts something records it before it asks for the server, which takes this lock
    const lock = await lockInHome(world, blockServerLock(snapshot.id), 0).catch((error: unknown) => {
      if (isKeyframeError(error, "lock-busy")) return undefined; // someone asks now
      throw error;
    });
    if (lock === undefined) continue;
    if (!isNeeded()) return lock;
    await lock.release();
  }
}
