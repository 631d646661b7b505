import { formatBytes } from "../../base/bytes.ts";
import { parseImageName } from "../../blocks/ids.ts";
import { describeImage } from "../../blocks/images/describe-image.ts";
import { flattenImage } from "../../blocks/images/publish/flatten-image.ts";
import { findImage } from "../../blocks/images/read/read-image.ts";
import type { CliContext } from "../command/context.ts";
import { type StoreFlags, withImages } from "./open/open-repository.ts";

export interface FlattenFlags extends StoreFlags {
  readonly name?: string;
}

/** Makes an image with the same bytes in one layer. */
export async function flatten(this: CliContext, flags: FlattenFlags, image: string): Promise<void> {
  await withImages(this, flags, async ({ repository, signal, progress }) => {
    const { manifest } = await findImage(repository.store, image, signal);
    const bar = progress("flatten", "bytes");
    const total = describeImage(manifest).dataBytes;
    const flat = await flattenImage(repository, manifest, {
      name: flags.name === undefined ? undefined : parseImageName(flags.name),
      signal,
      onProgress: (done) => bar.update(done, total),
    }).finally(() => bar.finish());
    const storedBytes = flat.layer?.objectBytes ?? 0;
    if (flags.json)
      return this.terminal.json({
        id: flat.id,
        name: flags.name ?? null,
        layersBefore: manifest.layers.length,
        storedBytes,
      });
    this.terminal.out(
      `${flat.id}  ${flags.name ?? ""}  ${manifest.layers.length} layers became one of ${formatBytes(storedBytes)}`,
    );
  });
}
