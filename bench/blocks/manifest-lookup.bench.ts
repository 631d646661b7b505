import { createHash } from "node:crypto";
import { findExtent, toExtentMap, zeroLayer } from "../../src/blocks/formats/extent-map.ts";
import { encodeManifest, parseManifest } from "../../src/blocks/formats/manifest-format.ts";
import type { LayerId } from "../../src/blocks/ids.ts";
import type { BenchOptions, BenchResult } from "../bench-result.ts";
import { median, timeInTurn } from "../measure.ts";

const blockSizeBytes = 4096;
const layerCount = 30;

/**
 * Opens a manifest of 100,000 extents over 30 layers and looks blocks up in it, in turn with the same map as JSON: an
 * array of objects, parsed and searched the same way.
 */
export async function run({ tiny }: BenchOptions): Promise<BenchResult[]> {
  const extents = tiny ? 1000 : 100_000;
  const lookups = tiny ? 1000 : 1_000_000;
  const { bytes, json, blockCount } = sample(extents);
  const blocks = Uint32Array.from({ length: lookups }, (_, index) => (index * 2_654_435_761) % blockCount);
  const { map } = parseManifest(bytes);
  const runs = JSON.parse(json) as JsonRun[];
  let found = { columns: "", objects: "" };
  const times = timeInTurn(tiny ? 1 : 9, {
    parse: () => void parseManifest(bytes),
    parseJson: () => void JSON.parse(json),
    lookup: () => {
      found = { ...found, columns: digestOf(blocks, (block) => map.packed[findExtent(map, block)] ?? 0) };
    },
    lookupObjects: () => {
      found = { ...found, objects: digestOf(blocks, (block) => runs[findRun(runs, block)]?.packed ?? 0) };
    },
  });
  if (found.columns !== found.objects) throw new Error("the two maps answer differently");
  const perLookup = (values: readonly number[]) => (median(values) * 1e6) / lookups;
  const resultHash = found.columns;
  const parse = { value: median(times.parse), floor: median(times.parseJson) };
  const lookup = { value: perLookup(times.lookup), floor: perLookup(times.lookupObjects) };
  return [
    {
      name: `parse and check a manifest of ${extents} extents, against JSON.parse of the same`,
      ...parse,
      unit: "ms",
      ratio: parse.value / parse.floor,
      resultHash,
    },
    {
      name: "look a block up, against an array of objects",
      ...lookup,
      unit: "ns",
      ratio: lookup.value / lookup.floor,
      resultHash,
    },
    {
      name: "bytes an extent, against JSON",
      value: bytes.length / extents,
      floor: json.length / extents,
      unit: "B",
      ratio: bytes.length / json.length,
      resultHash,
    },
  ];
}

interface JsonRun {
  readonly start: number;
  readonly layer: number;
  readonly packed: number;
}

function sample(extents: number) {
  const packedEnd = Array.from({ length: layerCount }, () => 0);
  let startBlock = 0;
  const runs = Array.from({ length: extents }, (_, index) => {
    const blockCount = 1 + ((index * 7919) % 13);
    const place = index % (layerCount + 1);
    const layer = place === layerCount ? zeroLayer : place;
    const packedBlock = packedEnd[place] ?? 0;
    if (layer !== zeroLayer) packedEnd[place] = packedBlock + blockCount;
    startBlock += blockCount;
    return { startBlock: startBlock - blockCount, blockCount, layer, packedBlock };
  });
  const layers = packedEnd.map((packedBlocks, index) => ({
    id: index.toString(16).padStart(64, "0") as LayerId,
    objectBytes: packedBlocks * blockSizeBytes,
    packedBlocks,
  }));
  const sizeBytes = startBlock * blockSizeBytes;
  const map = toExtentMap(runs, startBlock);
  const json = JSON.stringify(
    runs.map((each) => ({ start: each.startBlock, layer: each.layer, packed: each.packedBlock })),
  );
  const bytes = encodeManifest({ sizeBytes, blockSizeBytes, layers, map, ancestors: [], labels: {} });
  return { bytes, json, blockCount: startBlock };
}

function findRun(runs: readonly JsonRun[], block: number): number {
  let low = 0;
  let high = runs.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if ((runs[middle]?.start ?? 0) <= block) low = middle;
    else high = middle - 1;
  }
  return low;
}

function digestOf(blocks: Uint32Array, look: (block: number) => number): string {
  const answers = new Uint32Array(blocks.length);
  for (let index = 0; index < blocks.length; index += 1) answers[index] = look(blocks[index] ?? 0);
  return createHash("sha256").update(answers).digest("hex").slice(0, 16);
}
