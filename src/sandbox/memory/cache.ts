import { KeyframeError } from "../../base/errors.ts";
import { type DataFile, openDataFile } from "../../system/files/data-file.ts";
import { nextTurn } from "../../system/turn.ts";
import type { SnapshotId } from "../ids.ts";
import { type SandboxContext, stagingPath, withLock } from "../store/home.ts";
import { mustBeLocal, openChain, type ReadySnapshot, snapshotFiles } from "../store/snapshot-store.ts";
import { type MemoryDiffReader, openMemoryDiff } from "./diff-file.ts";
import { writeDiffOver, writeMemoryImage } from "./image.ts";
import { isZeroPage, pageBytes } from "./page-runs.ts";

/**
 * The memory of a snapshot as one flat file that machines map privately. It is made at most once per snapshot, from
 * pages whose digests are checked on the way, and found by name afterwards: the depth of the chain is paid once.
 * `served` is the memory of the snapshot of the chain that a block server shows, if one does.
 */
export async function ensureMemoryImage(
  context: SandboxContext,
  snapshot: ReadySnapshot,
  served?: { readonly id: SnapshotId; readonly memoryPath: string },
): Promise<string> {
  if (served?.id === snapshot.id) return served.memoryPath;
  return ensureMemoryFrom(context, snapshot, async (temporary) => {
    const { memoryBytes } = snapshot.memory;
    const links = openChain(context, snapshot);
    const above = links.findIndex((link) => link.id === served?.id) + 1;
    const chain: MemoryDiffReader[] = [];
    const target = openDataFile(temporary, "create");
    try {
      for (const link of links.slice(above)) {
        mustBeLocal(link);
        const reader = openMemoryDiff(snapshotFiles(context, link.id).memory, link.memory.tableDigest);
        chain.push(reader);
        if (reader.table.memoryBytes !== memoryBytes) {
          throw new KeyframeError(
            "damaged",
            `snapshot ${link.id} has another memory size than ${snapshot.id}`,
          );
        }
      }
      if (served === undefined || above === 0) await writeMemoryImage(target, chain, memoryBytes);
      else {
        await copyMemory(context, served.memoryPath, target);
        for (const reader of chain) await writeDiffOver(target, reader);
      }
    } finally {
      target.close();
      for (const reader of chain) reader.close();
    }
  });
}

/**
 * Throws `damaged` if a file that the memory is made from is missing or cut off, also where the flat image is there
 * already and would hide it.
 */
export function checkMemoryFiles(context: SandboxContext, snapshot: ReadySnapshot): void {
  for (const link of openChain(context, snapshot)) {
    if (link.remote !== undefined) continue;
    const path = snapshotFiles(context, link.id).memory;
    const sizeBytes = context.files.statIfExists(path)?.sizeBytes;
    if (sizeBytes !== undefined && sizeBytes >= link.memory.fileBytes) continue;
    const found =
      sizeBytes === undefined ? "is missing" : `has ${sizeBytes} of ${link.memory.fileBytes} bytes`;
    throw new KeyframeError("damaged", `the memory of snapshot ${link.name ?? link.id} ${found}: ${path}`);
  }
}

/** Finds the flat memory of a snapshot, or has it made: once, whoever else wants it. */
export async function ensureMemoryFrom(
  context: SandboxContext,
  snapshot: ReadySnapshot,
  write: (temporary: string) => Promise<void>,
): Promise<string> {
  const path = context.home.memoryImage(snapshot.id);
  const { memoryBytes } = snapshot.memory;
  if (hasImage(context, path, memoryBytes)) return path;
  return withLock(context, `memory-${snapshot.id}`, async () => {
    if (!hasImage(context, path, memoryBytes)) await makeImage(context, path, write);
    return path;
  });
}

/** Zero pages stay holes. */
async function copyMemory(context: SandboxContext, from: string, target: DataFile): Promise<void> {
  let at = 0;
  for (const piece of context.files.readChunks(from)) {
    target.resize(at + piece.length);
    for (let page = 0; page < piece.length; page += pageBytes) {
      if (!isZeroPage(piece, page)) target.write(at + page, piece.subarray(page, page + pageBytes));
    }
    at += piece.length;
    await nextTurn();
  }
}

/** What a machine maps that boots: memory of zeros, one hole. */
export async function ensureZeroMemory(context: SandboxContext, memoryMiB: number): Promise<string> {
  const path = context.home.zeroMemory(memoryMiB);
  const sizeBytes = memoryMiB * 1024 * 1024;
  if (hasImage(context, path, sizeBytes)) return path;
  await makeImage(context, path, async (temporary) => {
    const target = openDataFile(temporary, "create");
    try {
      target.resize(sizeBytes);
    } finally {
      target.close();
    }
  });
  return path;
}

export function removeMemoryImage(context: SandboxContext, id: SnapshotId): void {
  context.files.remove(context.home.memoryImage(id));
  context.files.remove(`${context.home.memoryImage(id)}.boot`);
}

/**
 * Images are not synced: they can be made again. A machine crash can leave a file of the right size without its
 * bytes, so images do not outlive the boot that made them: the name of the boot is part of the check.
 */
function hasImage(context: SandboxContext, path: string, sizeBytes: number): boolean {
  if (context.files.statIfExists(path)?.sizeBytes !== sizeBytes) return false;
  return (
    context.files.readIfExists(`${path}.boot`)?.toString("latin1") === context.processTable.self().bootId
  );
}

async function makeImage(
  context: SandboxContext,
  path: string,
  write: (temporary: string) => Promise<void>,
): Promise<void> {
  const temporary = stagingPath(context, "memory");
  try {
    await write(temporary);
    // what is there is of an earlier boot: gone before the name of this boot says that it can be trusted
    context.files.remove(path);
    context.files.replaceWithoutSync(`${path}.boot`, Buffer.from(context.processTable.self().bootId), {
      mode: 0o600,
    });
    context.files.rename(temporary, path);
  } finally {
    context.files.remove(temporary);
  }
}
