import { KeyframeError } from "../../base/errors.ts";
import type { ImageName } from "../ids.ts";
import { openPackStore } from "../stores/pack-store.ts";
import { listImages } from "./list-images.ts";
import type { ImageRepository } from "./repository/image-repository.ts";
import { type TransferResult, transferImage } from "./transfer-image.ts";

export interface UnpackOptions {
  /** Instead of the name in the pack. */
  readonly name: ImageName | undefined;
  readonly signal: AbortSignal;
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
}

export interface UnpackedImage extends TransferResult {
  readonly name: ImageName | undefined;
}

/** Takes the image of a pack into the store, verified like one that is pulled from a store. */
export async function unpackImage(
  repository: ImageRepository,
  path: string,
  options: UnpackOptions,
): Promise<UnpackedImage> {
  const { store: to, clock, random, openFile } = repository;
  const { signal, onProgress } = options;
  const from = await openPackStore(openFile(path, { mode: "read" }));
  try {
    const { images, problems } = await listImages(from, signal);
    const [image] = images;
    if (image?.manifest === undefined || images.length !== 1 || problems.length > 0) {
      const problem = [image?.problem, ...problems].find((text) => text !== undefined);
      throw new KeyframeError(
        "damaged",
        `${path} does not hold one whole image${problem === undefined ? "" : `: ${problem}`}`,
      );
    }
    const name = options.name ?? image.names[0];
    const result = await transferImage(
      { from, to },
      { id: image.id, manifest: image.manifest },
      { name, clock, random, signal, onProgress },
    );
    return { ...result, name };
  } finally {
    await from.close();
  }
}
