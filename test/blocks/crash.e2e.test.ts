import { beforeAll, expect, test } from "vitest";
import { openCacheFolder } from "../../src/blocks/cache/cache-directory.ts";
import { openChunkCache } from "../../src/blocks/cache/chunk-cache.ts";
import { openOverlay } from "../../src/blocks/overlay/overlay.ts";
import { nodeClock } from "../../src/system/clock.ts";
import { nodeFiles } from "../../src/system/files/files.ts";
import { openNodeSparseFile } from "../../src/system/files/sparse-file.ts";
import { nodeProcesses } from "../../src/system/process/processes.ts";
import { nodeRandom } from "../../src/system/random.ts";
import { bundledChild } from "../support/bundled-child.ts";
import { crashBlockBytes, crashBlocks, crashRounds, crashStep } from "../support/crash-rounds.ts";
import { faultPointsInSource } from "../support/fault-points.ts";
import { memoryImage, patternBytes } from "../support/memory-image.ts";
import { memoryReader } from "../support/memory-reader.ts";
import { expectBytes, readBytes } from "../support/open-test-cache.ts";
import { scratchFolder } from "../support/scratch.ts";

const overlayPoints = [
  "overlay:before-map-create",
  "overlay:before-data-sync",
  "overlay:after-data-sync",
  "overlay:before-map-append",
  "overlay:after-map-append",
  "overlay:after-map-sync",
  "overlay:before-map-replace",
  "overlay:after-map-replace",
];
const cachePoints = [
  "cache:before-mark",
  "cache:before-data-sync",
  "cache:after-data-sync",
  "cache:before-presence-write",
  "cache:before-presence-rename",
  "cache:after-presence",
];
const once = [
  "overlay:before-map-create",
  "overlay:before-map-replace",
  "overlay:after-map-replace",
  "cache:before-mark",
];

const system = { files: nodeFiles, openSparseFile: openNodeSparseFile, clock: nodeClock, random: nodeRandom };
const id = Buffer.alloc(32, 1);
const content = patternBytes(crashBlocks * crashBlockBytes, 21);
let child = "";
beforeAll(() => {
  child = bundledChild("crash-child");
});

test("the points at which these tests crash are all there are for overlays, caches and block files", () => {
  const tested = [...overlayPoints, ...cachePoints, "block-file:write"];
  expect(faultPointsInSource("overlay:", "cache:", "block-file:")).toEqual([...tested].sort());
});

const passes = (point: string) => (once.includes(point) ? [1] : [1, 3]);
const rows = (points: readonly string[]) =>
  points.flatMap((point) => passes(point).map((pass) => `${point}:${pass}`));

test.each([...rows(overlayPoints), "block-file:write:4", "block-file:write:9"])(
  "an overlay that dies at %s holds every flushed round, and of the last one each block whole, old or new",
  async (fault) => {
    const folder = scratchFolder();
    const run = await nodeProcesses.run(process.execPath, [child, "overlay", folder], {
      env: { ...process.env, KEYFRAME_FAULT: fault },
    });
    expect(run.signal).toBe("SIGKILL");
    const said = run.stdout.toString().trim().split("\n");
    const flushed = said.filter((line) => line.startsWith("flushed")).length;
    const started = said.filter((line) => line.startsWith("start")).length;
    const allowed = Array.from({ length: crashBlocks }, (_, index) => [
      content.subarray(index * crashBlockBytes, (index + 1) * crashBlockBytes),
    ]);
    for (let round = 1; round <= started; round += 1) {
      const { blocks, fill } = crashStep(round);
      for (const index of blocks) {
        const now = Buffer.alloc(crashBlockBytes, fill);
        allowed[index] = round <= flushed ? [now] : [...(allowed[index] ?? []), now];
      }
    }
    for (let opening = 0; opening < 2; opening += 1) {
      const overlay = await openOverlay({ folder, parent: memoryReader(content), parentId: id }, system);
      const bytes = await readBytes(overlay, 0, content.length);
      for (const [index, choices] of allowed.entries()) {
        const got = bytes.subarray(index * crashBlockBytes, (index + 1) * crashBlockBytes);
        expect(choices.some((choice) => choice.equals(got))).toBe(true);
      }
      await overlay.close();
    }
  },
);

test("the crash child, left alone, does all its rounds", async () => {
  const run = await nodeProcesses.run(process.execPath, [child, "overlay", scratchFolder()]);
  expect(run.stderr).toBe("");
  expect(run.stdout.toString()).toContain(`flushed ${crashRounds}`);
});

test.each([...rows(cachePoints), "block-file:write:2", "block-file:write:5"])(
  "a cache that dies at %s serves the image's bytes afterwards and keeps what it had closed with",
  async (fault) => {
    const folder = scratchFolder();
    const run = await nodeProcesses.run(process.execPath, [child, "cache", folder], {
      env: { ...process.env, KEYFRAME_FAULT: fault },
    });
    expect(run.signal).toBe("SIGKILL");
    const closed = run.stdout
      .toString()
      .split("\n")
      .filter((line) => line.startsWith("closed")).length;
    const image = memoryImage(Buffer.from(content));
    const store = openCacheFolder(
      { folder, imageId: id, sizeBytes: image.sizeBytes, blockSizeBytes: crashBlockBytes },
      system,
    );
    const cache = openChunkCache({ source: image, store, chunkBytes: 16 * crashBlockBytes });
    expect(cache.presentBlocks()).toBeGreaterThanOrEqual(closed * 16);
    expectBytes(await readBytes(cache, 0, content.length), content);
    await cache.close();
  },
);
