import { KeyframeError } from "../../base/errors.ts";
import { tarBlockBytes, tarPadding } from "../../base/ustar.ts";
import type { SparseFile } from "../../system/files/sparse-file.ts";
import { parseTarHeader } from "../formats/tar-header.ts";
import { imageOfKey, layerOfKey, nameOfKey } from "../object-keys.ts";
import { checkRange, objectNotFound, readFilePieces } from "./interface/object-content.ts";
import type { ObjectStore } from "./interface/object-store.ts";

interface PackedObject {
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

/** More than any image has layers. */
const maxPackEntries = 1024 * 1024;

/**
 * A pack as a store that can only be read. What is in a pack is reached by the keys of objects alone, so no name in it is
 * ever used as a path. Throws for a pack that holds anything else.
 */
export async function openPackStore(file: SparseFile): Promise<ObjectStore> {
  const objects = await readDirectory(file);
  const location = file.path;
  const readOnly = () => new KeyframeError("unsupported", `${location} is a pack and cannot be changed`);
  return {
    location,
    atomicPutBytes: 0,
    async stat(key, signal) {
      signal.throwIfAborted();
      const object = objects.get(key);
      return object === undefined ? undefined : { sizeBytes: object.sizeBytes, createdMs: 0 };
    },
    async *read(key, range, signal) {
      const object = objects.get(key);
      if (object === undefined) throw objectNotFound({ location }, key);
      const { offsetBytes, lengthBytes } = checkRange(range, object);
      yield* readFilePieces(file, { offsetBytes: object.offsetBytes + offsetBytes, lengthBytes }, signal);
    },
    async put() {
      throw readOnly();
    },
    async *list(prefix, signal) {
      for (const [key, { sizeBytes }] of objects) {
        signal.throwIfAborted();
        if (key.startsWith(prefix)) yield { key, sizeBytes, createdMs: 0 };
      }
    },
    async delete() {
      throw readOnly();
    },
    removeUnfinished: async () => 0,
    close: () => file.close(),
  };
}

async function readDirectory(file: SparseFile): Promise<Map<string, PackedObject>> {
  const objects = new Map<string, PackedObject>();
  const fileBytes = file.sizeBytes();
  const header = Buffer.alloc(tarBlockBytes);
  for (let at = 0; ; ) {
    if ((await file.read(header, at)) < tarBlockBytes) throw damaged(file, "it ends without an end mark");
    const entry = parseTarHeader(header);
    if (entry === undefined) return objects;
    const { name, sizeBytes } = entry;
    if (layerOfKey(name) === undefined && imageOfKey(name) === undefined && nameOfKey(name) === undefined) {
      throw new KeyframeError(
        "invalid-input",
        `${file.path} holds ${JSON.stringify(name)}, which is not part of an image`,
      );
    }
    at += tarBlockBytes;
    if (objects.has(name) || objects.size >= maxPackEntries) throw damaged(file, `it holds ${name} twice`);
    if (at + sizeBytes > fileBytes) throw damaged(file, `${name} is cut`);
    objects.set(name, { offsetBytes: at, sizeBytes });
    at += sizeBytes + tarPadding(sizeBytes);
  }
}

function damaged(file: SparseFile, what: string): KeyframeError {
  return new KeyframeError("damaged", `the pack ${file.path} is damaged: ${what}`);
}
