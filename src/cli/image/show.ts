import { formatBytes } from "../../base/bytes.ts";
import { describeImage } from "../../blocks/images/describe-image.ts";
import { findImage } from "../../blocks/images/read/read-image.ts";
import type { CliContext } from "../command/context.ts";
import { formatTable, printable } from "../output/terminal.ts";
import { type StoreFlags, withImages } from "./open/open-repository.ts";

/** Shows what the manifest of an image says. */
export async function showImageCommand(this: CliContext, flags: StoreFlags, image: string): Promise<void> {
  await withImages(this, flags, async ({ repository, signal }) => {
    const { id, manifest } = await findImage(repository.store, image, signal);
    const description = describeImage(manifest);
    if (flags.json) return this.terminal.json({ id, ...description });
    const rows = [
      ["id", id],
      ["size", formatBytes(description.sizeBytes)],
      ["data", formatBytes(description.dataBytes)],
      ["stored", formatBytes(description.storedBytes)],
      ["block size", formatBytes(description.blockSizeBytes)],
      ["extents", String(description.extents)],
      ...description.layers.map((layer) => [
        "layer",
        `${layer.id.slice(0, 16)}  ${formatBytes(layer.usedBytes)} of ${formatBytes(layer.packedBytes)} used, ${formatBytes(layer.objectBytes)} stored`,
      ]),
      ...description.ancestors.map((ancestor) => ["made from", ancestor.slice(0, 16)]),
      ...Object.entries(description.labels).map(([key, value]) => ["label", printable(`${key}=${value}`)]),
    ];
    this.terminal.out(formatTable(rows));
  });
}
