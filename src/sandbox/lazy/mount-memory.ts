import type { RandomAccessImage } from "../../blocks/random-access-image.ts";
import { openDataFile } from "../../system/files/data-file.ts";
import type { RunningProcess } from "../../system/process/processes.ts";
import { ensureMemoryFrom } from "../memory/cache.ts";
import type { SandboxContext } from "../store/home.ts";
import type { ReadySnapshot } from "../store/snapshot-store.ts";
import { blockServerFiles, readMemoryPid } from "./block-server.ts";

/** The export that the memory is. */
export const memoryExport = "memory";

/** Where machines find the memory, and the program that shows it there, if there is one. */
export interface ShownMemory {
  readonly path: string;
  readonly process?: RunningProcess;
}

const fuseTimeoutMs = 10_000;

/**
 * As a file through FUSE; where there is no FUSE, fetched whole into a plain file. The server answers on its socket.
 */
export async function showMemory(
  context: SandboxContext,
  snapshot: ReadySnapshot,
  memory: RandomAccessImage,
): Promise<ShownMemory> {
  const files = blockServerFiles(context, snapshot.id);
  const mounted = await mountMemory(context, files);
  if (mounted !== undefined) return { path: `${files.memoryFolder}/nbd`, process: mounted };
  context.warn("there is no FUSE here (nbdfuse, /dev/fuse): the whole memory is fetched first");
  const path = await ensureMemoryFrom(context, snapshot, async (temporary) => {
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

async function copyData(
  memory: RandomAccessImage,
  write: (offset: number, bytes: Buffer) => void,
): Promise<void> {
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
  context: SandboxContext,
  files: ReturnType<typeof blockServerFiles>,
): Promise<RunningProcess | undefined> {
  if (context.files.statIfExists("/dev/fuse") === undefined) return undefined;
  context.files.makeFolder(files.memoryFolder, { mode: 0o700 });
  const client = context.processes.start("nbdfuse", [
    "--pidfile",
    files.memoryPid,
    files.memoryFolder,
    `nbd+unix:///${memoryExport}?socket=${files.socket}`,
  ]);
  const ended = client.exited.then(
    () => true,
    () => true, // it is not installed
  );
  const giveUpAtMs = context.clock.monotonicMs() + fuseTimeoutMs;
  while (readMemoryPid(context, files) === undefined) {
    if (await Promise.race([ended, context.clock.sleep(2)])) return undefined;
    if (context.clock.monotonicMs() < giveUpAtMs) continue;
    client.kill("SIGKILL");
    return undefined;
  }
  return client;
}
