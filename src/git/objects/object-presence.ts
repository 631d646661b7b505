import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Files } from "../../system/files/files.ts";
import type { Oid } from "../ids.ts";
import type { Repository } from "../repository.ts";

/**
 * Whether an object is here, looked up in git's files: hooks have no time for a process. `loose` since `birthMs`
 * (milliseconds since 1970; 0 where the file system does not keep it), or in a pack.
 */
export type ObjectPresence =
  | { readonly kind: "absent" }
  | { readonly kind: "packed" }
  | { readonly kind: "loose"; readonly birthMs: number; readonly mtimeMs: number };

export interface ObjectFinder {
  find(oid: Oid): ObjectPresence;
}

/** How many alternates in a chain are followed, as in git. */
const maxAlternates = 5;

/** Looks into the repository's object directory and those that it borrows from. What is packed later is not seen. */
export function openObjectFinder({ commonDir }: Repository, files: Files): ObjectFinder {
  return findIn(listObjectFolders(join(commonDir, "objects"), files, maxAlternates), files);
}

/** Looks into one object directory alone. */
export function openFolderFinder(folder: string, files: Files): ObjectFinder {
  return findIn([folder], files);
}

function findIn(folders: readonly string[], files: Files): ObjectFinder {
  let packs: string[] | undefined;
  return {
    find(oid) {
      for (const folder of folders) {
        const stat = files.statIfExists(join(folder, oid.slice(0, 2), oid.slice(2)));
        if (stat !== undefined) return { kind: "loose", birthMs: stat.birthMs, mtimeMs: stat.mtimeMs };
      }
      packs ??= folders.flatMap((folder) => listPackIndexes(folder, files));
      return packs.some((pack) => isInPack(pack, oid, files)) ? { kind: "packed" } : { kind: "absent" };
    },
  };
}

/** The id that git gives to content as a blob, in the object format of `like`. */
export function blobOidLike(content: Uint8Array, like: Oid): Oid {
  const hash = createHash(like.length === 40 ? "sha1" : "sha256");
  return hash.update(`blob ${content.length}\0`).update(content).digest("hex") as Oid;
}

function listObjectFolders(folder: string, files: Files, depth: number): string[] {
  const listed = files.readIfExists(join(folder, "info", "alternates"))?.toString("utf8") ?? "";
  const others = listed.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  if (depth === 0) return [folder];
  return [
    folder,
    ...others.flatMap((other) =>
      listObjectFolders(other.startsWith("/") ? other : join(folder, other), files, depth - 1),
    ),
  ];
}

function listPackIndexes(folder: string, files: Files): string[] {
  const packFolder = join(folder, "pack");
  return (files.listIfExists(packFolder) ?? [])
    .filter(({ name }) => name.endsWith(".idx"))
    .map(({ name }) => join(packFolder, name));
}

/*
 * A pack index, version 2: magic "\377tOc" and version (8 bytes), then for each first byte of an id how many objects
 * have this or a smaller one (256 times 4 bytes, big endian), then the ids in order.
 */
const fanoutOffset = 8;
const idsOffset = fanoutOffset + 256 * 4;

function isInPack(path: string, oid: Oid, files: Files): boolean {
  const id = Buffer.from(oid, "hex");
  const first = id[0] ?? 0;
  const fanout = readPart(files, path, { offsetBytes: 0, chunkBytes: idsOffset });
  // git has not written version 1 for many years
  if (fanout.length < idsOffset || fanout.readUInt32BE(0) !== 0xff744f63) return false;
  const countAt = (byte: number) => (byte < 0 ? 0 : fanout.readUInt32BE(fanoutOffset + byte * 4));
  const [from, to] = [countAt(first - 1), countAt(first)];
  if (from === to) return false;
  const ids = readPart(files, path, {
    offsetBytes: idsOffset + from * id.length,
    chunkBytes: (to - from) * id.length,
  });
  for (let at = 0; at < ids.length; at += id.length)
    if (id.equals(ids.subarray(at, at + id.length))) return true;
  return false;
}

function readPart(files: Files, path: string, part: { offsetBytes: number; chunkBytes: number }): Buffer {
  for (const chunk of files.readChunks(path, part)) return Buffer.from(chunk);
  return Buffer.alloc(0);
}
