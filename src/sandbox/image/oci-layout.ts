import { createHash } from "node:crypto";
import * as z from "zod";
import { sha256Hex } from "../../base/digest.ts";
import { KeyframeError } from "../../base/errors.ts";
import type { Files } from "../../system/files/files.ts";
import { maxImageLayers } from "../limits.ts";

/** One layer of an image: a tar, packed or not, on top of the ones before. */
export interface OciLayer {
  readonly path: string;
}

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const descriptor = z.object({ mediaType: z.string(), digest, size: z.number().int().nonnegative() });
const index = z.object({
  manifests: z.array(
    descriptor.extend({
      platform: z.object({ os: z.string(), architecture: z.string() }).partial().optional(),
    }),
  ),
});
const manifest = z.object({ layers: z.array(descriptor).max(maxImageLayers) });

const maxManifestBytes = 16 * 1024 * 1024;

/**
 * The layers of an OCI image layout, lowest first (image-spec: image-layout.md, manifest.md). Every blob is checked
 * against its digest before anything is unpacked. An index inside the index is followed to linux/amd64.
 */
export function readOciLayers(files: Files, root: string): OciLayer[] {
  const blob = (of: string) => `${root}/blobs/sha256/${of.slice("sha256:".length)}`;
  let list = parse(index, files.read(`${root}/index.json`), "index.json");
  for (let depth = 0; depth < 3; depth += 1) {
    const chosen =
      list.manifests.find(
        (each) => each.platform?.os === "linux" && each.platform.architecture === "amd64",
      ) ?? list.manifests.find((each) => each.platform === undefined);
    if (chosen === undefined) throw new KeyframeError("not-found", `${root} holds no image for linux/amd64`);
    const bytes = readBlob(files, blob(chosen.digest), chosen.digest);
    if (chosen.mediaType.includes("index") || chosen.mediaType.includes("manifest.list")) {
      list = parse(index, bytes, chosen.digest);
      continue;
    }
    return parse(manifest, bytes, chosen.digest).layers.map((layer) => {
      checkBlob(files, blob(layer.digest), layer.digest);
      return { path: blob(layer.digest) };
    });
  }
  throw new KeyframeError("damaged", `${root} nests its indexes too deeply`);
}

function readBlob(files: Files, path: string, expected: string): Buffer {
  const size = files.statIfExists(path)?.sizeBytes ?? 0;
  if (size > maxManifestBytes) throw new KeyframeError("too-large", `${path} is too large for a manifest`);
  const bytes = files.read(path);
  if (`sha256:${sha256Hex(bytes)}` !== expected) throw mismatch(path);
  return bytes;
}

function checkBlob(files: Files, path: string, expected: string): void {
  const hash = createHash("sha256");
  for (const piece of files.readChunks(path)) hash.update(piece);
  if (`sha256:${hash.digest("hex")}` !== expected) throw mismatch(path);
}

function mismatch(path: string): KeyframeError {
  return new KeyframeError("damaged", `${path} does not match its digest`);
}

function parse<T>(schema: z.ZodType<T>, bytes: Buffer, what: string): T {
  try {
    return schema.parse(JSON.parse(bytes.toString("utf8")));
  } catch (cause) {
    throw new KeyframeError("damaged", `${what} is not an OCI manifest`, { cause });
  }
}
