import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type BlockRun,
  findExtent,
  mergeRuns,
  normaliseRuns,
  runsBetween,
  runsOf,
  toExtentMap,
  zeroLayer,
} from "../../../src/blocks/formats/extent-map.ts";

/** What each block of an image is: the model that every law is about. */
type BlockModel = (string | undefined)[];

function modelOf(runs: readonly BlockRun[], blockCount: number): BlockModel {
  const model: BlockModel = Array.from({ length: blockCount }, () => undefined);
  for (const run of runs) {
    for (let block = 0; block < run.blockCount; block += 1) {
      model[run.startBlock + block] =
        run.layer === zeroLayer ? "zero" : `${run.layer}@${run.packedBlock + block}`;
    }
  }
  return model;
}

const piece = fc.record({
  blockCount: fc.integer({ min: 1, max: 6 }),
  layer: fc.constantFrom(0, 1, zeroLayer),
  packedBlock: fc.integer({ min: 0, max: 12 }),
  isGap: fc.boolean(),
});

function runsFrom(
  pieces: readonly { blockCount: number; layer: number; packedBlock: number; isGap: boolean }[],
) {
  const runs: BlockRun[] = [];
  let startBlock = 0;
  for (const { blockCount, layer, packedBlock, isGap } of pieces) {
    if (!isGap)
      runs.push({ startBlock, blockCount, layer, packedBlock: layer === zeroLayer ? 0 : packedBlock });
    startBlock += blockCount;
  }
  return { runs, blockCount: startBlock };
}

const cover = fc
  .array(piece, { minLength: 1, maxLength: 12 })
  .map((pieces) => runsFrom(pieces.map((each) => ({ ...each, isGap: false }))));
const sparse = fc.array(piece, { maxLength: 12 }).map(runsFrom);

const run = (startBlock: number, blockCount: number, layer: number, packedBlock: number): BlockRun => ({
  startBlock,
  blockCount,
  layer,
  packedBlock,
});

test("normalising keeps what every block is, is done once, and leaves its input alone", () => {
  fc.assert(
    fc.property(sparse, ({ runs, blockCount }) => {
      const before = structuredClone(runs);
      const normal = normaliseRuns(runs);
      expect(modelOf(normal, blockCount)).toEqual(modelOf(runs, blockCount));
      expect(normaliseRuns(normal)).toEqual(normal);
      expect(runs).toEqual(before);
      for (const [index, next] of normal.entries()) {
        const last = normal[index - 1];
        if (last === undefined || last.startBlock + last.blockCount !== next.startBlock) continue;
        const isSame = last.layer === next.layer;
        const isContiguous =
          last.layer === zeroLayer || last.packedBlock + last.blockCount === next.packedBlock;
        expect(isSame && isContiguous).toBe(false);
      }
    }),
  );
});

test("runs that are neighbours in the image but not in storage stay apart", () => {
  const apart = [run(0, 2, 0, 0), run(2, 2, 0, 10)];
  expect(normaliseRuns(apart)).toEqual(apart);
  expect(normaliseRuns([run(0, 2, 0, 4), run(2, 3, 0, 6)])).toEqual([run(0, 5, 0, 4)]);
  expect(normaliseRuns([run(0, 2, zeroLayer, 0), run(2, 0, 0, 9), run(2, 3, zeroLayer, 0)])).toEqual([
    run(0, 5, zeroLayer, 0),
  ]);
});

test("a merge reads as the diff where that says something and as the parent elsewhere", () => {
  fc.assert(
    fc.property(cover, sparse, (parent, { runs: pieces }) => {
      const diff = pieces.filter((each) => each.startBlock + each.blockCount <= parent.blockCount);
      const model = modelOf(parent.runs, parent.blockCount);
      modelOf(diff, parent.blockCount).forEach((value, block) => {
        if (value !== undefined) model[block] = value;
      });
      const merged = mergeRuns(parent.runs, diff);
      expect(modelOf(merged, parent.blockCount)).toEqual(model);
      expect(normaliseRuns(merged)).toEqual(merged);
      expect([...runsOf(toExtentMap(merged, parent.blockCount))]).toEqual(merged);
    }),
  );
});

test.each([
  ["inside", [run(0, 6, 0, 0)], [run(2, 2, 1, 0)], [run(0, 2, 0, 0), run(2, 2, 1, 0), run(4, 2, 0, 4)]],
  [
    "twice inside",
    [run(0, 6, 0, 0)],
    [run(1, 1, 1, 0), run(4, 1, 1, 1)],
    [run(0, 1, 0, 0), run(1, 1, 1, 0), run(2, 2, 0, 2), run(4, 1, 1, 1), run(5, 1, 0, 5)],
  ],
  [
    "over an edge",
    [run(0, 2, 0, 0), run(2, 4, 1, 0), run(6, 2, 2, 0)],
    [run(3, 2, 3, 7)],
    [run(0, 2, 0, 0), run(2, 1, 1, 0), run(3, 2, 3, 7), run(5, 1, 1, 3), run(6, 2, 2, 0)],
  ],
  ["over everything", [run(0, 2, 0, 0), run(2, 2, 1, 0)], [run(0, 4, 2, 0)], [run(0, 4, 2, 0)]],
])("a diff %s splits the parent and shifts the rest in storage", (_, parent, diff, expected) => {
  expect(mergeRuns(parent, diff)).toEqual(expected);
});

test("a lookup finds the run that a walk through all of them finds", () => {
  fc.assert(
    fc.property(cover, ({ runs, blockCount }) => {
      const map = toExtentMap(runs, blockCount);
      for (let block = 0; block < blockCount; block += 1) {
        const walked = runs.findIndex((each) => block < each.startBlock + each.blockCount);
        expect(findExtent(map, block)).toBe(walked);
      }
    }),
  );
});

test("the runs of a part are the runs of the whole, cut", () => {
  fc.assert(
    fc.property(cover, fc.nat(), fc.nat(), ({ runs, blockCount }, first, second) => {
      const [start, end] = [first % (blockCount + 1), second % (blockCount + 1)].sort((a, b) => a - b) as [
        number,
        number,
      ];
      const part = [...runsBetween(toExtentMap(runs, blockCount), start, end)];
      const expected = modelOf(runs, blockCount).map((value, block) =>
        block >= start && block < end ? value : undefined,
      );
      expect(modelOf(part, blockCount)).toEqual(expected);
    }),
  );
});

test("a map with a gap, an overlap or a wrong end is refused", () => {
  expect(() => toExtentMap([run(0, 2, 0, 0), run(3, 1, 0, 2)], 4)).toThrow("gap or overlap");
  expect(() => toExtentMap([run(0, 2, 0, 0), run(1, 3, 0, 2)], 4)).toThrow("gap or overlap");
  expect(() => toExtentMap([run(0, 2, 0, 0)], 4)).toThrow("ends at block 2 of 4");
});
