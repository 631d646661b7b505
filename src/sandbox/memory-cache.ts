import { KeyframeError } from "../base/errors.ts";
import { openDataFile } from "../system/data-file.ts";
import { type SandboxWorld, stagingPath, withLock } from "./home.ts";
import type { SnapshotId } from "./ids.ts";
import { type MemoryDiffReader, openMemoryDiff } from "./memory-diff-file.ts";
import { writeMemoryImage } from "./memory-image.ts";
import { openChain, type ReadySnapshot, snapshotFiles } from "./snapshot-store.ts";

/**
 * The memory of a snapshot as one flat file that machines map privately. It is made at most once per snapshot, from
 * pages whose digests are checked on the way, and found by name afterwards: the depth of the chain is paid once.
 */
export async function ensureMemoryImage(world: SandboxWorld, snapshot: ReadySnapshot): Promise<string> {
  const path = world.home.memoryImage(snapshot.id);
  if (hasImage(world, path, snapshot.memory.memoryBytes)) return path;
  return withLock(world, `memory-${snapshot.id}`, async () => {
    if (hasImage(world, path, snapshot.memory.memoryBytes)) return path;
    await makeImage(world, path, async (temporary) => {
      const chain: MemoryDiffReader[] = [];
      const target = openDataFile(temporary, "create");
      try {
        for (const link of openChain(world, snapshot)) {
          const reader = openMemoryDiff(snapshotFiles(world, link.id).memory, link.memory.tableDigest);
          chain.push(reader);
          if (reader.table.memoryBytes !== snapshot.memory.memoryBytes) {
            throw new KeyframeError(
              "damaged",
              `snapshot ${link.id} has another memory size than ${snapshot.id}`,
            );
          }
        }
        await writeMemoryImage(target, chain, snapshot.memory.memoryBytes);
      } finally {
        target.close();
        for (const reader of chain) reader.close();
      }
    });
    return path;
  });
}

/** What a machine maps that boots: memory of zeros, one hole. */
export async function ensureZeroMemory(world: SandboxWorld, memoryMiB: number): Promise<string> {
  const path = world.home.zeroMemory(memoryMiB);
  const sizeBytes = memoryMiB * 1024 * 1024;
  if (hasImage(world, path, sizeBytes)) return path;
  await makeImage(world, path, async (temporary) => {
    const target = openDataFile(temporary, "create");
    try {
      target.resize(sizeBytes);
    } finally {
      target.close();
    }
  });
  return path;
}

export function removeMemoryImage(world: SandboxWorld, id: SnapshotId): void {
  world.files.remove(world.home.memoryImage(id));
  world.files.remove(`${world.home.memoryImage(id)}.boot`);
}

/**
 * Images are not synced: they can be made again. A machine crash can leave a file of the right size without its
 * bytes, so images do not outlive the boot that made them: the name of the boot is part of the check.
 */
function hasImage(world: SandboxWorld, path: string, sizeBytes: number): boolean {
  if (world.files.statIfExists(path)?.sizeBytes !== sizeBytes) return false;
  return world.files.readIfExists(`${path}.boot`)?.toString("latin1") === world.processTable.self().bootId;
}

async function makeImage(
  world: SandboxWorld,
  path: string,
  write: (temporary: string) => Promise<void>,
): Promise<void> {
  const temporary = stagingPath(world, "memory");
  try {
    await write(temporary);
    // what is there is of an earlier boot: gone before the name of this boot says that it can be trusted
    world.files.remove(path);
    world.files.replaceLoosely(`${path}.boot`, Buffer.from(world.processTable.self().bootId), {
      mode: 0o600,
    });
    world.files.rename(temporary, path);
  } finally {
    world.files.remove(temporary);
  }
}
