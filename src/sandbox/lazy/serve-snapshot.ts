import { isKeyframeError, KeyframeError } from "../../base/errors.ts";
import type { ImageRepository } from "../../blocks/images/repository/image-repository.ts";
import type { RandomAccessImage } from "../../blocks/random-access-image.ts";
import { openRawImage } from "../../blocks/raw-image.ts";
import { readOnlyDevice, type WritableDisk } from "../../blocks/writable-disk.ts";
import { startNbdServer } from "../../nbd/server.ts";
import { openNodeSparseFile } from "../../system/files/sparse-file.ts";
import type { HeldLock } from "../../system/locks/named-lock.ts";
import { listenNodeSocket } from "../../system/net/sockets.ts";
import { type MemoryDiffImage, openChainMemory, openDiffImage } from "../memory/remote-memory.ts";
import { lockInHome, type SandboxContext } from "../store/home.ts";
import { readDiskLayerRecord } from "../store/records.ts";
import { openChain, type ReadySnapshot, snapshotFiles } from "../store/snapshot-store.ts";
import {
  type BlockServerRecord,
  blockServerFiles,
  blockServerLock,
  isServerNeeded,
  readMemoryPid,
} from "./block-server.ts";
import { openImageById } from "./cached-image.ts";
import { memoryExport, type ShownMemory, showMemory } from "./mount-memory.ts";

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

/**
 * Shows the memory and the disk layers of a lazily pulled snapshot to machines: each through a cache that keeps what
 * was fetched, in the order in which it was needed the last time. The memory is a file through FUSE; where there is
 * no FUSE it is fetched whole before anything starts, and only the disk is lazy.
 */
export async function serveSnapshot(
  context: SandboxContext,
  repository: ImageRepository,
  snapshot: ReadySnapshot,
  options: ServeOptions,
): Promise<void> {
  const files = blockServerFiles(context, snapshot.id);
  const opened = new Map<string, Promise<RandomAccessImage>>();
  let memory: RandomAccessImage | undefined;
  let ending: HeldLock | undefined;
  // equal files are one image, and a cache directory has one opener
  const open = (image: string, chunkBytes?: number) => {
    const known = opened.get(image);
    if (known !== undefined) return known;
    const { signal } = options;
    const cached = { image, folder: files.cache(image), signal };
    const opening = openImageById(
      context,
      repository,
      chunkBytes === undefined ? cached : { ...cached, chunkBytes },
    );
    opened.set(image, opening);
    return opening;
  };
  try {
    memory = await openMemory(context, snapshot, open);
    const layers = await Promise.all(
      remoteLayers(context, snapshot).map(async ([id, image]) => ({ id, image: await open(image) })),
    );
    context.files.remove(files.socket);
    const server = await startNbdServer(
      {
        address: { path: files.socket },
        exports: [
          { name: memoryExport, device: privatelyMapped(memory) },
          ...layers.map(({ id, image }) => ({ name: id, device: readOnlyDevice(image) })),
        ],
      },
      { listenSocket: listenNodeSocket, clock: context.clock },
    );
    let shown: ShownMemory | undefined;
    try {
      shown = await showMemory(context, snapshot, memory);
      const layerIds = layers.map(({ id }) => id);
      writeServerRecord(context, snapshot, { shown, layers: layerIds });
      ending = await untilIdle(context, snapshot, { ...options, layers: new Set(layerIds) });
    } finally {
      context.files.remove(files.record);
      shown?.process?.kill("SIGTERM");
      await shown?.process?.exited;
      await server.close();
    }
  } finally {
    await memory?.close();
    for (const opening of await Promise.allSettled(opened.values())) {
      if (opening.status === "fulfilled") await opening.value.close();
    }
    await ending?.release();
  }
}

/** Layers whose bytes are not here, with their images. */
function remoteLayers(context: SandboxContext, snapshot: ReadySnapshot): [string, string][] {
  return snapshot.disk.flatMap((layer): [string, string][] => {
    const image = snapshot.remote?.disk[layer.id];
    const record = readDiskLayerRecord(context.files, context.home.diskLayerRecord(layer.id));
    return record?.remote === true && image !== undefined ? [[layer.id, image]] : [];
  });
}

async function openMemory(
  context: SandboxContext,
  snapshot: ReadySnapshot,
  open: (image: string, chunkBytes: number) => Promise<RandomAccessImage>,
): Promise<RandomAccessImage> {
  const chain: MemoryDiffImage[] = [];
  for (const link of openChain(context, snapshot)) {
    const path = snapshotFiles(context, link.id).memory;
    const reader =
      link.remote === undefined
        ? openRawImage(openNodeSparseFile(path, { mode: "read" }))
        : await open(link.remote.memory, memoryChunkBytes);
    const { tableDigest } = link.memory;
    chain.push(await openDiffImage(reader, { tableDigest, what: `the memory of snapshot ${link.id}` }));
  }
  return openChainMemory(chain, snapshot.memory.memoryBytes);
}

/** The hypervisor opens the memory for writing although it maps it privately; nothing is ever written. */
function privatelyMapped(memory: RandomAccessImage): WritableDisk {
  return { ...readOnlyDevice(memory), readOnly: false };
}

function writeServerRecord(
  context: SandboxContext,
  snapshot: ReadySnapshot,
  { shown, layers }: { readonly shown: ShownMemory; readonly layers: readonly string[] },
): void {
  const files = blockServerFiles(context, snapshot.id);
  const pid = shown.process === undefined ? undefined : readMemoryPid(context, files);
  const memoryProcess = pid === undefined ? undefined : context.processTable.identify(pid);
  if (shown.process !== undefined && memoryProcess === undefined) {
    throw new KeyframeError("program-failed", "nbdfuse ended while it started");
  }
  const record: BlockServerRecord = {
    format: 1,
    process: context.processTable.self(),
    ...(memoryProcess === undefined ? {} : { memoryProcess }),
    memoryPath: shown.path,
    layers: [...layers],
  };
  context.files.replaceWithoutSync(files.record, Buffer.from(JSON.stringify(record)), { mode: 0o600 });
}

/**
 * Until it is told to end, or nothing has needed it for a while: then nobody can be starting either, and the lock that
 * is answered keeps it so until all is closed.
 */
async function untilIdle(
  context: SandboxContext,
  snapshot: ReadySnapshot,
  options: ServeOptions & { readonly layers: ReadonlySet<string> },
): Promise<HeldLock | undefined> {
  const { clock } = context;
  let usedAtMs = clock.monotonicMs();
  const isNeeded = () => isServerNeeded(context, snapshot.id, options.layers);
  const told = options.stopped.then(() => true);
  for (;;) {
    if (await Promise.race([told, clock.sleep(lookMs).then(() => false)])) return undefined;
    if (isNeeded()) usedAtMs = clock.monotonicMs();
    if (clock.monotonicMs() - usedAtMs < options.idleMs) continue;
    // whoever starts something records it before it asks for the server, which takes this lock
    const lock = await lockInHome(context, blockServerLock(snapshot.id), 0).catch((error: unknown) => {
      if (isKeyframeError(error, "lock-busy")) return undefined; // someone asks now
      throw error;
    });
    if (lock === undefined) continue;
    if (!isNeeded()) return lock;
    await lock.release();
  }
}
