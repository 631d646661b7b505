import { zeroLayer } from "../formats/extent-map.ts";
import type { Manifest } from "../formats/manifest-format.ts";

export interface ImageDescription {
  readonly sizeBytes: number;
  readonly blockSizeBytes: number;
  readonly extents: number;
  /** Bytes of the image that are stored; the rest is zeros. */
  readonly dataBytes: number;
  /** Length of all layer objects, also of what this image no longer shows of them. */
  readonly storedBytes: number;
  readonly layers: readonly {
    readonly id: string;
    readonly objectBytes: number;
    /** Bytes of the image that come from this layer. */
    readonly usedBytes: number;
    readonly packedBytes: number;
  }[];
  readonly ancestors: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

/** What a manifest says, without reading a layer. */
export function describeImage(manifest: Manifest): ImageDescription {
  const { blockSizeBytes, map, layers } = manifest;
  const usedBlocks = layers.map(() => 0);
  map.starts.forEach((start, index) => {
    const layer = map.layers[index] ?? zeroLayer;
    if (layer !== zeroLayer)
      usedBlocks[layer] = (usedBlocks[layer] ?? 0) + (map.starts[index + 1] ?? map.blockCount) - start;
  });
  return {
    sizeBytes: manifest.sizeBytes,
    blockSizeBytes,
    extents: map.starts.length,
    dataBytes: Math.min(
      manifest.sizeBytes,
      usedBlocks.reduce((sum, blocks) => sum + blocks, 0) * blockSizeBytes,
    ),
    storedBytes: layers.reduce((sum, layer) => sum + layer.objectBytes, 0),
    layers: layers.map((layer, index) => ({
      id: layer.id,
      objectBytes: layer.objectBytes,
      usedBytes: (usedBlocks[index] ?? 0) * blockSizeBytes,
      packedBytes: layer.packedBlocks * blockSizeBytes,
    })),
    ancestors: manifest.ancestors,
    labels: manifest.labels,
  };
}
