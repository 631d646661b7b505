import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { isKeyframeError } from "../../../src/base/errors.ts";
import { openRawImage } from "../../../src/blocks/raw-image.ts";
import { parseMemoryDiffHeader, parseMemoryDiffTable } from "../../../src/sandbox/memory/diff.ts";
import {
  capturedPages,
  memoryDiffSizeBytes,
  openMemoryDiff,
  writeMemoryDiff,
} from "../../../src/sandbox/memory/diff-file.ts";
import { writeDiffOver, writeMemoryImage } from "../../../src/sandbox/memory/image.ts";
import { type PageRun, pageBytes, parsePrivatePages } from "../../../src/sandbox/memory/page-runs.ts";
import { openChainMemory, openDiffImage } from "../../../src/sandbox/memory/remote-memory.ts";
import { openDataFile } from "../../../src/system/files/data-file.ts";
import { openNodeSparseFile } from "../../../src/system/files/sparse-file.ts";

const folder = mkdtempSync(join(tmpdir(), "keyframe-diff-"));
afterAll(() => rmSync(folder, { recursive: true }));
let count = 0;
function fresh(): string {
  count += 1;
  return join(folder, String(count));
}

/** An image of so many pages, each filled with its number in `values`: 0 is a zero page. */
function imageOf(values: readonly number[]): Buffer {
  return Buffer.concat(values.map((value) => Buffer.alloc(pageBytes, value)));
}

/** Captures the named pages of an image. */
function capture(image: Buffer, touched: readonly boolean[]) {
  const runs: PageRun[] = [];
  for (const [page, isTouched] of touched.entries()) {
    if (!isTouched) continue;
    const last = runs.at(-1);
    if (last !== undefined && last.firstPage + last.pageCount === page)
      runs[runs.length - 1] = { ...last, pageCount: last.pageCount + 1 };
    else runs.push({ firstPage: page, pageCount: 1 });
  }
  const bytes = runs.map((run) =>
    image.subarray(run.firstPage * pageBytes, (run.firstPage + run.pageCount) * pageBytes),
  );
  return { runs, source: capturedPages(runs, Buffer.concat(bytes)) };
}

async function storeDiff(image: Buffer, touched: readonly boolean[], basePath: string | undefined) {
  const path = fresh();
  const { runs, source } = capture(image, touched);
  const file = openDataFile(path, "create");
  const base = basePath === undefined ? undefined : openDataFile(basePath, "read");
  const written = await writeMemoryDiff(file, source, { memoryBytes: image.length, base });
  file.close();
  base?.close();
  return { path, written, runs };
}

async function materialise(
  chain: readonly { path: string; written: { tableDigest: string } }[],
  memoryBytes: number,
): Promise<string> {
  const path = fresh();
  const target = openDataFile(path, "create");
  const readers = chain.map((link) => openMemoryDiff(link.path, link.written.tableDigest));
  await writeMemoryImage(target, readers, memoryBytes);
  for (const reader of readers) reader.close();
  target.close();
  return path;
}

/** What a block server shows of the chain is the image, read whole and from any byte on, and its holes are zeros. */
async function expectView(
  chain: readonly { path: string; written: { tableDigest: string } }[],
  image: Buffer,
  from: number,
): Promise<void> {
  const links = chain.map(({ path, written }) =>
    openDiffImage(openRawImage(openNodeSparseFile(path, { mode: "read" })), { ...written, what: path }),
  );
  const view = openChainMemory(await Promise.all(links), image.length);
  for (const offset of [0, from]) {
    const bytes = Buffer.alloc(image.length, 0xdb);
    expect(await view.read(bytes, offset)).toBe(image.length - offset);
    expect(bytes.subarray(0, image.length - offset).equals(image.subarray(offset))).toBe(true);
  }
  let at = 0;
  for (const { kind, offsetBytes, lengthBytes } of view.extents({
    offsetBytes: 0,
    lengthBytes: image.length,
  })) {
    expect(offsetBytes).toBe(at);
    at += lengthBytes;
    if (kind === "zero") expect(image.subarray(offsetBytes, at).every((byte) => byte === 0)).toBe(true);
  }
  expect(at).toBe(image.length);
  await view.close();
}

const pages = 12;
const values = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: pages, maxLength: pages });

test("a chain of diffs gives the image of its head, whatever changed, became zero or stayed", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(values, { minLength: 1, maxLength: 5 }),
      fc.array(fc.boolean(), { minLength: pages, maxLength: pages }),
      fc.nat({ max: pages * pageBytes }),
      async (states, extra, from) => {
        const chain: Awaited<ReturnType<typeof storeDiff>>[] = [];
        let base: string | undefined;
        let before = Array.from({ length: pages }, () => 0);
        for (const state of states) {
          // what changed is always captured; what did not may be, as after a write of the same value
          const touched = state.map((value, page) => value !== before[page] || extra[page] === true);
          const link = await storeDiff(imageOf(state), touched, base);
          const changed = state.filter((value, page) => value !== before[page]).length;
          expect(link.written.dataPages + link.written.zeroPages).toBe(changed);
          chain.push(link);
          if (base !== undefined) {
            const changedBase = openDataFile(base, "change");
            const reader = openMemoryDiff(link.path, link.written.tableDigest);
            await writeDiffOver(changedBase, reader);
            reader.close();
            changedBase.close();
            expect(readFileSync(base).equals(imageOf(state))).toBe(true);
          }
          base = await materialise(chain, pages * pageBytes);
          expect(readFileSync(base).equals(imageOf(state))).toBe(true);
          await expectView(chain, imageOf(state), from);
          before = [...state];
        }
      },
    ),
    { numRuns: 40 },
  );
});

test("every page changed, none changed, and the last page alone are stored as what they are", async () => {
  const all = await storeDiff(
    imageOf(Array.from({ length: 600 }, () => 9)),
    Array.from({ length: 600 }, () => true),
    undefined,
  );
  expect(all.written.dataPages).toBe(600);
  expect(statSync(all.path).size).toBeLessThanOrEqual(600 * pageBytes * 1.02);
  expect(statSync(all.path).size).toBeLessThanOrEqual(memoryDiffSizeBytes(all.runs));
  const none = await storeDiff(imageOf([1, 2]), [false, false], undefined);
  expect(none.written.dataPages).toBe(0);
  expect(statSync(none.path).size).toBeLessThanOrEqual(64 * 1024);
  const last = await storeDiff(imageOf([0, 0, 7]), [false, false, true], undefined);
  expect(readFileSync(await materialise([last], 3 * pageBytes)).equals(imageOf([0, 0, 7]))).toBe(true);
});

test("as many changed pages as one run can have are one run, and one more makes another", async () => {
  for (const [pages, runs] of [
    [256, 1],
    [257, 2],
  ] as const) {
    const image = imageOf(Array.from({ length: pages }, (_, page) => (page % 250) + 1));
    const link = await storeDiff(
      image,
      Array.from({ length: pages }, () => true),
      undefined,
    );
    const table = await openDiffImage(openRawImage(openNodeSparseFile(link.path, { mode: "read" })), {
      ...link.written,
      what: link.path,
    });
    expect(table.runs).toHaveLength(runs);
    await expectView([link], image, pageBytes);
  }
});

test("bytes after the last page mean nothing: a preallocated file is not cut", async () => {
  const link = await storeDiff(imageOf([1, 0, 2]), [true, true, true], undefined);
  truncateSync(link.path, statSync(link.path).size + 100_000);
  expect(readFileSync(await materialise([link], 3 * pageBytes)).equals(imageOf([1, 0, 2]))).toBe(true);
});

test("a changed byte anywhere, a cut and another diff are each refused by name", async () => {
  const link = await storeDiff(imageOf([1, 2, 0, 3]), [true, true, true, true], imageFile([9, 9, 9, 9]));
  const good = readFileSync(link.path);
  const used = link.written.fileBytes;
  const read = () => materialise([link], 4 * pageBytes);
  for (const at of [0, 6, 8, 12, 16, 24, 32, 64, 70, 80, 100, pageBytes, pageBytes + 1, used - 1]) {
    const bad = Buffer.from(good);
    bad.writeUInt8(bad.readUInt8(at) ^ 1, at);
    writeFileSync(link.path, bad);
    const error = await read().catch((thrown: unknown) => thrown);
    expect(isKeyframeError(error, "damaged"), `byte ${at}`).toBe(true);
    expect(String(error)).toContain(link.path);
  }
  for (const size of [0, 10, 100, used - 1]) {
    writeFileSync(link.path, good.subarray(0, size));
    expect(isKeyframeError(await read().catch((thrown: unknown) => thrown), "damaged"), `${size} bytes`).toBe(
      true,
    );
  }
  writeFileSync(link.path, good);
  await expect(read()).resolves.toBeDefined();
  const other = await storeDiff(imageOf([5]), [true], undefined);
  expect(() => openMemoryDiff(other.path, link.written.tableDigest)).toThrow(/not the memory/);
});

function imageFile(state: readonly number[]): string {
  const path = fresh();
  writeFileSync(path, imageOf(state));
  return path;
}

test("any bytes as a header or a table are read or refused as damaged", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
      try {
        const bytes = Buffer.concat([Buffer.from("KFMEMD01"), noise]);
        const header = parseMemoryDiffHeader(bytes, "noise");
        parseMemoryDiffTable(header, bytes.subarray(64), "noise");
      } catch (error) {
        expect(isKeyframeError(error, "damaged")).toBe(true);
      }
    }),
  );
});

test("private pages are those that are present and not of the file, or swapped out", () => {
  const bit = (high: number) => {
    const entry = Buffer.alloc(8);
    entry.writeUInt32LE(high >>> 0, 4);
    return entry;
  };
  const [present, file, swapped] = [0x80000000, 0x20000000, 0x40000000];
  const map = Buffer.concat([
    bit(0),
    bit(present),
    bit(present | file),
    bit(swapped),
    bit(present),
    bit(file),
    bit(swapped | file),
  ]);
  expect(parsePrivatePages(map)).toEqual([
    { firstPage: 1, pageCount: 1 },
    { firstPage: 3, pageCount: 2 },
    { firstPage: 6, pageCount: 1 },
  ]);
});

test.each([255, 256, 257, 300, 513])(
  "a run of %i pages comes back whole, its last page included",
  async (pages) => {
    // zero pages on both sides of each 256th, where runs are read in pieces
    const values = Array.from({ length: pages }, (_, page) => (page % 256 === 254 ? 0 : (page % 250) + 1));
    const image = imageOf(values);
    const link = await storeDiff(image, Array(pages).fill(true), undefined);
    expect(link.runs).toEqual([{ firstPage: 0, pageCount: pages }]);
    expect(readFileSync(await materialise([link], image.length)).equals(image)).toBe(true);
  },
);
