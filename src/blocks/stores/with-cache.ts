import { join } from "node:path";
import { sha256Hex } from "../../base/digest.ts";
import type { Files } from "../../system/files/files.ts";
import { sha256Bytes } from "../formats/sha256.ts";
import type { ByteRange } from "../streamed-image.ts";
import { checkKey } from "./interface/object-content.ts";
import type { ObjectStore } from "./interface/object-store.ts";

export interface CacheOptions {
  readonly files: Files;
  /** Belongs to this cache and this store alone; several processes may share it. */
  readonly folder: string;
  readonly maxBytes: number;
}

/** Longer reads go past the cache: it is for manifests, indexes and small ranges. */
const maxEntryBytes = 4 * 1024 * 1024;
const digestBytes = 32;

/** Keys whose objects never change, because the key is the digest of what they hold. */
const immutableKey = /^(?:layers|manifests)\//;

/**
 * The store with what is read from content-addressed objects kept in a local directory. Each file carries the digest of
 * its bytes: what was torn or damaged is dropped and read from the store. Only whole answers are kept. When the
 * directory exceeds its limit the least recently used files go, never one that is being read or written here.
 */
export function withCache(store: ObjectStore, options: CacheOptions): ObjectStore {
  const entries = openEntries(options);
  return {
    ...store,
    async *read(key, range, signal) {
      checkKey(key);
      if (!immutableKey.test(key) || (range !== undefined && range.lengthBytes > maxEntryBytes)) {
        yield* store.read(key, range, signal);
        return;
      }
      signal.throwIfAborted();
      const name = entryName(key, range);
      entries.pin(name);
      try {
        const kept = entries.read(name);
        if (kept !== undefined) {
          if (kept.length > 0) yield kept;
          return;
        }
        const taken: Buffer[] = [];
        let total = 0;
        for await (const piece of store.read(key, range, signal)) {
          total += piece.length;
          if (total <= maxEntryBytes) taken.push(Buffer.from(piece));
          else taken.length = 0;
          yield piece;
        }
        if (total <= maxEntryBytes) entries.write(name, Buffer.concat(taken, total));
      } finally {
        entries.unpin(name);
      }
    },
    async delete(key, signal) {
      await store.delete(key, signal);
      entries.dropObject(sha256Hex(key));
    },
    forget(key) {
      entries.dropObject(sha256Hex(key));
      store.forget?.(key);
    },
  };
}

function entryName(key: string, range: ByteRange | undefined): string {
  const place = range === undefined ? "whole" : `${range.offsetBytes}-${range.lengthBytes}`;
  return `${sha256Hex(key)}-${place}`;
}

/** The files of the directory, oldest use first. */
function openEntries({ files, folder, maxBytes }: CacheOptions) {
  const sizes = new Map<string, number>();
  const pins = new Map<string, number>();
  let totalBytes = 0;
  files.makeFolder(folder, { mode: 0o700 });
  const found = (files.listIfExists(folder) ?? []).flatMap(({ name }) => {
    const stat = files.statIfExists(join(folder, name));
    return stat?.kind === "file" ? [{ name, ...stat }] : [];
  });
  for (const entry of found.sort((a, b) => a.mtimeMs - b.mtimeMs)) note(entry.name, entry.sizeBytes);

  function note(name: string, sizeBytes: number): void {
    totalBytes += sizeBytes - (sizes.get(name) ?? 0);
    sizes.delete(name);
    sizes.set(name, sizeBytes);
  }

  function drop(name: string): void {
    files.remove(join(folder, name));
    totalBytes -= sizes.get(name) ?? 0;
    sizes.delete(name);
  }

  function evict(): void {
    for (const name of sizes.keys()) {
      if (totalBytes <= maxBytes) return;
      if (!pins.has(name)) drop(name);
    }
  }

  return {
    pin: (name: string) => void pins.set(name, (pins.get(name) ?? 0) + 1),
    unpin(name: string): void {
      const count = (pins.get(name) ?? 1) - 1;
      if (count > 0) pins.set(name, count);
      else pins.delete(name);
      evict();
    },
    dropObject(digest: string): void {
      for (const name of sizes.keys()) if (name.startsWith(digest)) drop(name);
    },
    /** The verified bytes, or undefined. */
    read(name: string): Buffer | undefined {
      const bytes = files.readIfExists(join(folder, name));
      if (bytes === undefined) return undefined;
      const content = bytes.subarray(digestBytes);
      if (bytes.length < digestBytes || !sha256Bytes(content).equals(bytes.subarray(0, digestBytes))) {
        drop(name);
        return undefined;
      }
      note(name, bytes.length);
      return content;
    },
    write(name: string, content: Buffer): void {
      const bytes = Buffer.concat([sha256Bytes(content), content]);
      try {
        files.replaceWithoutSync(join(folder, name), bytes, { mode: 0o600 });
        note(name, bytes.length);
      } catch {
        // a cache that cannot be written (disk full, read-only) is no reason to fail a read that has its bytes
      }
    },
  };
}
