import { join } from "node:path";
import { fault } from "../../system/fault.ts";
import type { Files } from "../../system/files/files.ts";
import { makeFolderDurably, publishFile } from "../../system/files/publish-file.ts";
import type { OpenSparseFile, SparseFile } from "../../system/files/sparse-file.ts";
import { type Random, randomHex } from "../../system/random.ts";
import { checkKey, checkRange, objectNotFound, readFilePieces } from "./interface/object-content.ts";
import type {
  ListedObject,
  ObjectContent,
  ObjectStore,
  PutOptions,
  PutResult,
} from "./interface/object-store.ts";

export interface FolderStoreOptions {
  readonly files: Files;
  readonly openFile: OpenSparseFile;
  readonly random: Random;
}

/** No key starts with a dot, so this directory is no object's. */
const stagingName = ".staging";

/**
 * Objects as files of a directory. A put writes a temporary file, syncs it, links it to its name (which fails where the
 * name is taken) and syncs the directory, so it survives a crash at any moment whole or not at all.
 */
export function createFolderStore(root: string, options: FolderStoreOptions): ObjectStore {
  const { files, openFile } = options;
  const staging = join(root, stagingName);
  const pathOf = (key: string) => {
    checkKey(key);
    return join(root, ...key.split("/"));
  };

  const openObject = (key: string): SparseFile => {
    const path = pathOf(key);
    if (files.statTargetIfExists(path)?.kind !== "file") throw objectNotFound({ location: root }, key);
    return openFile(path, { mode: "read" });
  };

  return {
    location: root,
    atomicPutBytes: Number.MAX_SAFE_INTEGER,
    stagingFolder: staging,
    async stat(key, signal) {
      signal.throwIfAborted();
      const stat = files.statTargetIfExists(pathOf(key));
      return stat?.kind === "file" ? { sizeBytes: stat.sizeBytes, createdMs: stat.mtimeMs } : undefined;
    },
    async *read(key, range, signal) {
      signal.throwIfAborted();
      const file = openObject(key);
      try {
        yield* readFilePieces(file, checkRange(range, { sizeBytes: file.sizeBytes() }), signal);
      } finally {
        await file.close();
      }
    },
    async put(key, content, putOptions) {
      putOptions.signal.throwIfAborted();
      const path = pathOf(key);
      if (files.statTargetIfExists(path) !== undefined) return "exists";
      return putFile(path, content, { ...putOptions, ...options, staging });
    },
    async *list(prefix, signal) {
      for (const object of listBelow(files, root, "")) {
        signal.throwIfAborted();
        if (object.key.startsWith(prefix)) yield object;
      }
    },
    async delete(key, signal) {
      signal.throwIfAborted();
      files.remove(pathOf(key));
    },
    async removeUnfinished(beforeMs, signal) {
      let removed = 0;
      for (const { name } of files.listIfExists(staging) ?? []) {
        signal.throwIfAborted();
        const path = join(staging, name);
        if ((files.statIfExists(path)?.mtimeMs ?? beforeMs) >= beforeMs) continue;
        files.remove(path);
        removed += 1;
      }
      return removed;
    },
    close: async () => undefined,
  };
}

interface Putting extends PutOptions, FolderStoreOptions {
  readonly staging: string;
}

async function putFile(path: string, content: ObjectContent, putting: Putting): Promise<PutResult> {
  if (content.disposableFile !== undefined) {
    await sync(content.disposableFile, putting);
    const published = publishFile(content.disposableFile, path);
    if (published !== undefined) {
      fault("folder-store:after-link");
      putting.onProgress?.(content.sizeBytes);
      return published ? "created" : "exists";
    }
  }
  const copy = await copyToStaging(content, putting);
  try {
    await sync(copy, putting);
    const published = publishFile(copy, path);
    fault("folder-store:after-link");
    return published ? "created" : "exists";
  } finally {
    putting.files.remove(copy);
  }
}

async function copyToStaging(content: ObjectContent, putting: Putting): Promise<string> {
  const { staging, files, openFile, random, signal, onProgress } = putting;
  makeFolderDurably(staging);
  const path = join(staging, `put-${randomHex(random, 16)}`);
  const file = openFile(path, { mode: "create" });
  try {
    let done = 0;
    for await (const piece of content.open({ offsetBytes: 0, lengthBytes: content.sizeBytes }, signal)) {
      await file.write(piece, done);
      done += piece.length;
      onProgress?.(done);
    }
    fault("folder-store:after-copy");
  } catch (error) {
    files.remove(path);
    throw error;
  } finally {
    await file.close();
  }
  return path;
}

async function sync(path: string, { openFile }: Putting): Promise<void> {
  const file = openFile(path, { mode: "write" });
  try {
    await file.syncData();
  } finally {
    await file.close();
  }
  fault("folder-store:after-sync");
}

function* listBelow(files: Files, folder: string, prefix: string): Generator<ListedObject> {
  for (const entry of files.listIfExists(folder) ?? []) {
    if (entry.name.startsWith(".")) continue;
    const path = join(folder, entry.name);
    if (entry.kind === "folder") yield* listBelow(files, path, `${prefix}${entry.name}/`);
    if (entry.kind !== "file") continue;
    const stat = files.statIfExists(path);
    if (stat !== undefined)
      yield { key: prefix + entry.name, sizeBytes: stat.sizeBytes, createdMs: stat.mtimeMs };
  }
}
