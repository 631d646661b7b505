import { parseImageId } from "../../blocks/ids.ts";
import { openCachedImage } from "../../blocks/images/read/cached-image.ts";
import { openImage } from "../../blocks/images/read/layered-image.ts";
import { readManifest } from "../../blocks/images/read/read-image.ts";
import type { ImageRepository } from "../../blocks/images/repository/image-repository.ts";
import type { RandomAccessImage } from "../../blocks/random-access-image.ts";
import type { SandboxContext } from "../store/home.ts";

/** A stored image by its id, through a cache directory of its own. */
export async function openImageById(
  context: SandboxContext,
  repository: ImageRepository,
  options: {
    readonly image: string;
    readonly folder: string;
    readonly chunkBytes?: number;
    readonly signal: AbortSignal;
  },
): Promise<RandomAccessImage> {
  const { image, signal, ...cache } = options;
  const id = parseImageId(image);
  const manifest = await readManifest(repository.store, id, signal);
  return openCachedImage(
    {
      ...cache,
      source: openImage(repository, manifest),
      imageId: Buffer.from(id, "hex"),
      note: context.warn,
    },
    { ...context, openSparseFile: repository.openFile },
  );
}
