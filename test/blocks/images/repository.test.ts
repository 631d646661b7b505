// Covers src/blocks/images/**.
import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  ftruncateSync,
  openSync,
  readFileSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { KeyframeError } from "../../../src/base/errors.ts";
import { tarPadding } from "../../../src/base/ustar.ts";
import { runsOf } from "../../../src/blocks/formats/extent-map.ts";
import { encodeTarHeader } from "../../../src/blocks/formats/tar-header.ts";
import { parseImageName } from "../../../src/blocks/ids.ts";
import { collectGarbage, planGarbage } from "../../../src/blocks/images/collect-garbage.ts";
import { describeImage } from "../../../src/blocks/images/describe-image.ts";
import { diffImages } from "../../../src/blocks/images/diff-images.ts";
import { listImages } from "../../../src/blocks/images/list-images.ts";
import { packImage } from "../../../src/blocks/images/pack-image.ts";
import { commitBlocks } from "../../../src/blocks/images/publish/commit-blocks.ts";
import { createFromFile } from "../../../src/blocks/images/publish/create-from-file.ts";
import { flattenImage } from "../../../src/blocks/images/publish/flatten-image.ts";
import { publishName } from "../../../src/blocks/images/publish/publish-image.ts";
import { openImage } from "../../../src/blocks/images/read/layered-image.ts";
import { findImage } from "../../../src/blocks/images/read/read-image.ts";
import { readStoredTouches, storeTouches } from "../../../src/blocks/images/read/stored-touches.ts";
import { removeImage } from "../../../src/blocks/images/remove-image.ts";
import {
  leaseDurationMs,
  takeCollectLease,
  takeUploadLease,
} from "../../../src/blocks/images/repository/leases.ts";
import { transferImage } from "../../../src/blocks/images/transfer-image.ts";
import { unpackImage } from "../../../src/blocks/images/unpack-image.ts";
import { bytesContent } from "../../../src/blocks/stores/interface/object-content.ts";
import type { ObjectStore } from "../../../src/blocks/stores/interface/object-store.ts";
import { createFakeClock } from "../../../src/system/clock.ts";
import { createFakeRandom } from "../../../src/system/random.ts";
import {
  memoryRepository,
  readImage,
  neverAborted as signal,
  wholeWrite,
} from "../../support/image-repository.ts";
import { patternBytes } from "../../support/memory-image.ts";
import { scratchFolder } from "../../support/scratch.ts";

const blockSizeBytes = 4096;
type Repository = Awaited<ReturnType<typeof memoryRepository>>;

async function commit(repository: Repository, bytes: Buffer, name?: string) {
  const named = name === undefined ? {} : { name: parseImageName(name) };
  return commitBlocks(repository, wholeWrite(bytes), {
    sizeBytes: bytes.length,
    blockSizeBytes,
    signal,
    ...named,
  });
}

function layerKeys(repository: Repository): string[] {
  return [...repository.store.objects.keys()].filter((key) => key.startsWith("layers/"));
}

test("an image is found by name, by id and by the start of its id", async () => {
  const repository = await memoryRepository();
  const { id } = await commit(repository, patternBytes(10_000), "team/base");
  for (const text of ["team/base", id, id.slice(0, 8)])
    expect((await findImage(repository.store, text, signal)).id).toBe(id);
  await expect(findImage(repository.store, "nothing", signal)).rejects.toMatchObject({ code: "not-found" });
  await expect(findImage(repository.store, "00000000", signal)).rejects.toMatchObject({ code: "not-found" });
  await expect(findImage(repository.store, "../../etc/passwd", signal)).rejects.toMatchObject({
    code: "invalid-input",
  });
});

test("a name is never taken over by another image, and two writers of it leave one winner", async () => {
  const repository = await memoryRepository();
  const results = await Promise.allSettled(
    [1, 2, 3, 4].map((seed) => commit(repository, patternBytes(9000, seed), "base")),
  );
  const won = results.flatMap((result) => (result.status === "fulfilled" ? [result.value.id] : []));
  expect(won).toHaveLength(1);
  for (const result of results)
    if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "refused" });
  expect((await findImage(repository.store, "base", signal)).id).toBe(won[0]);
  await publishName(repository.store, {
    name: parseImageName("base"),
    id: (await findImage(repository.store, "base", signal)).id,
    signal,
  });
});

test("a file with holes becomes an image with the same bytes, and the holes are zeros", async () => {
  const repository = await memoryRepository();
  const path = join(scratchFolder(), "disk.raw");
  const descriptor = openSync(path, "w");
  ftruncateSync(descriptor, 40_000_123);
  writeSync(descriptor, patternBytes(100_000), 0, 100_000, 8_000_001);
  writeSync(descriptor, patternBytes(5000), 0, 5000, 39_995_123);
  closeSync(descriptor);
  const seen: number[] = [];
  const options = { blockSizeBytes, signal, onProgress: (done: number) => void seen.push(done) };
  const { manifest, rawBytes } = await createFromFile(repository, path, options);
  expect(rawBytes).toBeLessThan(150_000);
  expect(seen.at(-1)).toBe(40_000_123);
  const digest = createHash("sha256");
  for await (const piece of openImage(repository, manifest).stream(
    { offsetBytes: 0, lengthBytes: manifest.sizeBytes },
    signal,
  ))
    digest.update(piece);
  expect(digest.digest("hex")).toBe(createHash("sha256").update(readFileSync(path)).digest("hex"));
});

test("over a parent only the blocks that differ are stored, also where the file grew over a partial block", async () => {
  const repository = await memoryRepository();
  const folder = scratchFolder();
  const before = patternBytes(1_000_123);
  const base = await commit(repository, before);
  const after = Buffer.concat([before, patternBytes(20_000, 4)]);
  after.fill(0, 8192, 12_288); // a block that became zero
  after[500_000] = (after[500_000] ?? 0) ^ 1;
  writeFileSync(join(folder, "after"), after);
  const child = await createFromFile(repository, join(folder, "after"), {
    blockSizeBytes,
    parent: base,
    signal,
  });
  expect(child.rawBytes).toBe(4096 * (1 + 6));
  expect((await readImage(openImage(repository, child.manifest))).equals(after)).toBe(true);
  expect(child.manifest.ancestors).toEqual([base.id]);
  const same = await createFromFile(repository, join(folder, "after"), {
    blockSizeBytes,
    parent: child,
    signal,
  });
  expect(same.layer).toBeUndefined();
  expect(same.manifest.layers).toEqual(child.manifest.layers);
});

test("only a plain file becomes an image, and not one that changes meanwhile", async () => {
  const repository = await memoryRepository();
  const options = { blockSizeBytes, signal };
  await expect(createFromFile(repository, "/dev/null", options)).rejects.toMatchObject({
    code: "invalid-input",
  });
  await expect(createFromFile(repository, "/nowhere", options)).rejects.toMatchObject({ code: "not-found" });
  const path = join(scratchFolder(), "growing");
  for (const change of [() => writeFileSync(path, patternBytes(3_000_001)), () => utimesSync(path, 1, 1)]) {
    writeFileSync(path, patternBytes(3_000_000));
    let isChanged = false;
    const onProgress = () => {
      if (!isChanged) change();
      isChanged = true;
    };
    await expect(createFromFile(repository, path, { ...options, onProgress })).rejects.toMatchObject({
      code: "refused",
    });
  }
  expect([...repository.store.objects.keys()]).toEqual([]);
});

test("60 generations of overlapping edits, each over the one before, read like a plain file with the same edits", async () => {
  const repository = await memoryRepository();
  const random = createFakeRandom(11);
  const pick = (below: number) => random.bytes(4).readUInt32LE() % below;
  const model = patternBytes(400_000);
  let image = await commit(repository, model);
  for (let generation = 0; generation < 60; generation += 1) {
    const blocks = new Set(Array.from({ length: 8 }, () => pick(97)));
    const writes = [...blocks]
      .sort((a, b) => a - b)
      .map((blockIndex) => {
        const data = model.subarray(blockIndex * blockSizeBytes, (blockIndex + 1) * blockSizeBytes);
        data.fill(pick(3) === 0 ? 0 : pick(256), pick(2048));
        return { blockIndex, data: Buffer.from(data) };
      });
    image = await commitBlocks(repository, writes, {
      sizeBytes: model.length,
      blockSizeBytes,
      parent: image,
      signal,
    });
    expect(
      (await readImage(openImage(repository, image.manifest))).equals(model),
      `generation ${generation}`,
    ).toBe(true);
  }
  expect(image.manifest.ancestors).toHaveLength(60);
  expect(image.manifest.layers.length).toBeLessThan(61);
});

test("a zero block, a data block and an untouched one become zeros, the layer's bytes and the parent's", async () => {
  const repository = await memoryRepository();
  const parent = await commit(repository, Buffer.alloc(3 * blockSizeBytes, 0xcc));
  const written = Buffer.concat([Buffer.alloc(blockSizeBytes), Buffer.alloc(blockSizeBytes, 0xab)]);
  const child = await commitBlocks(repository, [{ blockIndex: 0, data: written }], {
    sizeBytes: 3 * blockSizeBytes,
    blockSizeBytes,
    parent,
    signal,
  });
  expect(child.rawBytes).toBe(blockSizeBytes);
  expect([...runsOf(child.manifest.map)]).toEqual([
    { startBlock: 0, blockCount: 1, layer: 0xffffffff, packedBlock: 0 },
    { startBlock: 1, blockCount: 1, layer: 1, packedBlock: 0 },
    { startBlock: 2, blockCount: 1, layer: 0, packedBlock: 2 },
  ]);
});

test("a copy under a name that another image has is refused before anything is copied", async () => {
  const from = await memoryRepository();
  const image = await commit(from, patternBytes(9000, 1));
  const to = await memoryRepository();
  await commit(to, patternBytes(9000, 2), "base");
  const before = [...to.store.objects.keys()];
  const options = { name: parseImageName("base"), clock: to.clock, random: to.random, signal };
  await expect(transferImage({ from: from.store, to: to.store }, image, options)).rejects.toMatchObject({
    code: "refused",
  });
  expect([...to.store.objects.keys()]).toEqual(before);
});

test("an image does not shrink and keeps its parent's block size", async () => {
  const repository = await memoryRepository();
  const parent = await commit(repository, patternBytes(10_000));
  const smaller = commitBlocks(repository, [], { sizeBytes: 9000, blockSizeBytes, parent, signal });
  await expect(smaller).rejects.toMatchObject({ code: "refused" });
  const other = commitBlocks(repository, [], { sizeBytes: 10_000, blockSizeBytes: 512, parent, signal });
  await expect(other).rejects.toMatchObject({ code: "invalid-input" });
});

test("an image over a parent whose layer is gone is not published", async () => {
  const repository = await memoryRepository();
  const parent = await commit(repository, patternBytes(10_000));
  for (const key of layerKeys(repository)) repository.store.objects.delete(key);
  const child = commitBlocks(repository, [{ blockIndex: 0, zeroBlocks: 1 }], {
    sizeBytes: 10_000,
    blockSizeBytes,
    parent,
    signal,
  });
  await expect(child).rejects.toMatchObject({ code: "damaged" });
  expect((await listImages(repository.store, signal)).images).toHaveLength(1);
});

test("a copy takes only what is missing, and goes on where it broke off", async () => {
  const from = await memoryRepository();
  const base = await commit(from, patternBytes(300_000), "base");
  const child = await commitBlocks(from, [{ blockIndex: 3, data: patternBytes(4096, 8) }], {
    sizeBytes: 300_000,
    blockSizeBytes,
    parent: base,
    signal,
  });
  let putsLeft = 2; // the lease and the first layer
  const to = await memoryRepository({
    faults: {
      beforeCall: ({ name }) => {
        if (name === "put" && putsLeft-- <= 0) throw new KeyframeError("store-unavailable", "injected");
      },
    },
  });
  const stores = { from: from.store, to: to.store };
  const options = { name: parseImageName("copy"), clock: to.clock, random: to.random, signal };
  await expect(transferImage(stores, child, options)).rejects.toMatchObject({ code: "store-unavailable" });
  expect((await listImages(to.store, signal)).images).toEqual([]);
  expect(layerKeys(to)).toHaveLength(1);
  putsLeft = 100;
  expect(await transferImage(stores, child, options)).toMatchObject({
    copiedLayers: 1,
    presentLayers: 1,
    id: child.id,
  });
  expect(await transferImage(stores, child, options)).toMatchObject({ copiedLayers: 0, presentLayers: 2 });
  const copied = await findImage(to.store, "copy", signal);
  expect(
    (await readImage(openImage(to, copied.manifest))).equals(
      await readImage(openImage(from, child.manifest)),
    ),
  ).toBe(true);
  for (const key of layerKeys(to))
    expect(
      to.store.objects.get(key)?.bytes.equals(from.store.objects.get(key)?.bytes ?? Buffer.alloc(0)),
    ).toBe(true);
});

test("a collection deletes what no image names and is old enough, nothing else", async () => {
  const clock = createFakeClock();
  const repository = await memoryRepository({ clock });
  const kept = await commit(repository, patternBytes(50_000, 1), "kept");
  const gone = await commit(repository, patternBytes(50_000, 2), "gone");
  await removeImage(repository.store, "gone", signal);
  const options = { clock, random: repository.random, graceMs: 60_000, signal };
  expect(await planGarbage(repository.store, options)).toMatchObject({
    layers: [],
    youngLayers: 1,
    keptLayers: 1,
  });
  clock.advance(60_000);
  const result = await collectGarbage(repository.store, options);
  expect(result.layers.map(({ key }) => key)).toEqual([
    `layers/${gone.layer?.id.slice(0, 2)}/${gone.layer?.id}`,
  ]);
  expect(layerKeys(repository)).toEqual([`layers/${kept.layer?.id.slice(0, 2)}/${kept.layer?.id}`]);
  expect((await readImage(openImage(repository, kept.manifest))).equals(patternBytes(50_000, 1))).toBe(true);
  expect(await collectGarbage(repository.store, options)).toMatchObject({ layers: [] });
});

test("the order of first touches lies beside the manifest, goes along in copies, and goes with the image", async () => {
  const clock = createFakeClock();
  const from = await memoryRepository({ clock });
  const to = await memoryRepository({ clock });
  const image = await commit(from, patternBytes(50_000, 1), "touched");
  const place = { store: from.store, id: image.id, signal };
  expect(await readStoredTouches(place)).toBeUndefined();
  const order = { windowBytes: 262_144, windows: Uint32Array.of(7, 0, 3) };
  await storeTouches(place, order);
  await storeTouches(place, { ...order, windows: Uint32Array.of(1) });
  expect(await readStoredTouches(place)).toEqual(order);

  const options = { name: undefined, clock, random: to.random, signal };
  await transferImage({ from: from.store, to: to.store }, image, options);
  expect(await readStoredTouches({ ...place, store: to.store })).toEqual(order);

  await removeImage(from.store, "touched", signal);
  expect(await readStoredTouches(place)).toBeUndefined();
  // a program that closes an image which is removed meanwhile stores its order all the same
  await storeTouches(place, order);
  const collected = await collectGarbage(from.store, { clock, random: from.random, graceMs: 0, signal });
  expect(collected.touchOrders).toEqual([`touches/${image.id}`]);
  expect(await readStoredTouches(place)).toBeUndefined();
  const kept = await collectGarbage(to.store, { clock, random: to.random, graceMs: 0, signal });
  expect(kept.touchOrders).toEqual([]);
  expect(await readStoredTouches({ ...place, store: to.store })).toEqual(order);
});

test("a damaged touch order stays where it is, and the image is copied without it", async () => {
  const from = await memoryRepository();
  const to = await memoryRepository();
  const image = await commit(from, patternBytes(50_000, 1), "touched");
  await from.store.put(`touches/${image.id}`, bytesContent(Buffer.from("KFTOUCH1 not an order")), { signal });
  await expect(readStoredTouches({ store: from.store, id: image.id, signal })).rejects.toMatchObject({
    code: "damaged",
  });
  const options = { name: parseImageName("copy"), clock: to.clock, random: to.random, signal };
  await transferImage({ from: from.store, to: to.store }, image, options);
  expect(await readStoredTouches({ store: to.store, id: image.id, signal })).toBeUndefined();
  expect((await findImage(to.store, "copy", signal)).id).toBe(image.id);
});

test("a collection refuses while an upload is under way, and an upload waits for a collection", async () => {
  const clock = createFakeClock();
  const repository = await memoryRepository({ clock });
  const { store, random } = repository;
  const options = { store, clock, random, signal };
  const upload = await takeUploadLease(options);
  await expect(collectGarbage(store, { ...options, graceMs: 0 })).rejects.toMatchObject({
    code: "lock-busy",
  });
  await upload.release();
  const collect = await takeCollectLease(options);
  await expect(takeCollectLease(options)).rejects.toMatchObject({ code: "lock-busy" });
  let isTaken = false;
  const waiting = takeUploadLease(options).then((lease) => {
    isTaken = true;
    return lease;
  });
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  expect(isTaken).toBe(false);
  await collect.release();
  clock.advance(1000);
  await (await waiting).release();
  expect([...store.objects.keys()]).toEqual([]);
});

test("a layer that an upload found present is not collected under it, in any order of their steps", async () => {
  // the steps of both are store calls; every interleaving is a choice of who may make the next one
  for (let schedule = 0; schedule < 200; schedule += 1) {
    const clock = createFakeClock();
    const gates: { waiting: (() => void)[] }[] = [{ waiting: [] }, { waiting: [] }];
    const repository = await memoryRepository({ clock });
    const from = await memoryRepository({ clock });
    const image = await commit(from, patternBytes(9000), "base");
    await commit(repository, patternBytes(9000), "base");
    await removeImage(repository.store, "base", signal);
    clock.advance(10);
    const gated = (actor: number) => {
      const gate = () => new Promise<void>((resolve) => gates[actor]?.waiting.push(resolve));
      const { store } = repository;
      return {
        ...store,
        stat: after(gate, (...args: Parameters<ObjectStore["stat"]>) => store.stat(...args)),
        put: after(gate, (...args: Parameters<ObjectStore["put"]>) => store.put(...args)),
        delete: after(gate, (...args: Parameters<ObjectStore["delete"]>) => store.delete(...args)),
        async *list(...args: Parameters<ObjectStore["list"]>) {
          await gate();
          yield* store.list(...args);
        },
      };
    };
    const options = { clock, random: repository.random, signal };
    let running = 2;
    const upload = transferImage({ from: from.store, to: gated(0) }, image, { ...options, name: undefined })
      .then(
        () => "done",
        (error: unknown) => error,
      )
      .finally(() => {
        running -= 1;
      });
    const collect = collectGarbage(gated(1), { ...options, graceMs: 0 })
      .then(
        () => "done",
        (error: unknown) => error,
      )
      .finally(() => {
        running -= 1;
      });
    let choices = schedule * 7919;
    while (running > 0) {
      await new Promise((resolve) => setImmediate(resolve));
      const ready = gates.filter((gate) => gate.waiting.length > 0);
      if (ready.length === 0) clock.advance(500);
      else {
        ready[choices % ready.length]?.waiting.shift()?.();
        choices = Math.floor(choices / 2) + (choices % 2) * 77_777;
      }
    }
    expect(await upload).toBe("done");
    const collected = await collect;
    if (collected !== "done") expect(collected).toMatchObject({ code: "lock-busy" });
    const found = await findImage(repository.store, image.id, signal);
    expect((await readImage(openImage(repository, found.manifest))).equals(patternBytes(9000))).toBe(true);
  }
});

test("the lease of an upload that died is ignored after its time, and one that ran out stops the upload", async () => {
  const clock = createFakeClock();
  const repository = await memoryRepository({ clock });
  const { store, random } = repository;
  const key = `leases/upload-${clock.nowMs() + leaseDurationMs}-0123456789abcdef`;
  store.objects.set(key, { bytes: Buffer.from("1"), createdMs: clock.nowMs() });
  await expect(collectGarbage(store, { clock, random, graceMs: 0, signal })).rejects.toMatchObject({
    code: "lock-busy",
  });
  clock.advance(leaseDurationMs + 1);
  await collectGarbage(store, { clock, random, graceMs: 0, signal });
  clock.advance(leaseDurationMs);
  await collectGarbage(store, { clock, random, graceMs: 0, signal });
  expect([...store.objects.keys()]).toEqual([]);
  const aborted = new AbortController();
  const lease = await takeUploadLease({ store, clock, random, signal: aborted.signal });
  aborted.abort(new Error("the network is gone"));
  clock.advance(leaseDurationMs + 1);
  expect(() => lease.check()).toThrow(expect.objectContaining({ code: "timed-out" }));
  await lease.release();
});

test("a damaged manifest stops a collection: its layers are unknown", async () => {
  const clock = createFakeClock();
  const repository = await memoryRepository({ clock });
  const { id } = await commit(repository, patternBytes(9000));
  const manifest = repository.store.objects.get(`manifests/${id}`);
  if (manifest !== undefined) manifest.bytes = Buffer.from("rubbish");
  const options = { clock, random: repository.random, graceMs: 0, signal };
  await expect(collectGarbage(repository.store, options)).rejects.toMatchObject({ code: "damaged" });
  expect(layerKeys(repository)).toHaveLength(1);
});

test("an image goes with its last name, and images made from it lose nothing", async () => {
  const clock = createFakeClock();
  const repository = await memoryRepository({ clock });
  const base = await commit(repository, patternBytes(20_000), "one");
  await publishName(repository.store, { name: parseImageName("two"), id: base.id, signal });
  const child = await commitBlocks(repository, [{ blockIndex: 0, zeroBlocks: 1 }], {
    sizeBytes: 20_000,
    blockSizeBytes,
    parent: base,
    signal,
  });
  expect(await removeImage(repository.store, "one", signal)).toMatchObject({ isGone: false });
  expect(await removeImage(repository.store, base.id, signal)).toMatchObject({
    isGone: true,
    names: ["two"],
  });
  await collectGarbage(repository.store, { clock, random: repository.random, graceMs: 0, signal });
  const expected = patternBytes(20_000).fill(0, 0, 4096);
  expect((await readImage(openImage(repository, child.manifest))).equals(expected)).toBe(true);
});

test("a diff tells exactly the blocks that differ", async () => {
  const repository = await memoryRepository();
  const a = patternBytes(200_000);
  const b = Buffer.concat([a, Buffer.alloc(5000)]);
  b[5000] = (b[5000] ?? 0) ^ 1;
  b[8192] = (b[8192] ?? 0) ^ 1;
  b.fill(0, 100_000, 104_000);
  const [left, right] = [await commit(repository, a), await commit(repository, b)];
  const ranges = [];
  for await (const range of diffImages(repository, { a: left.manifest, b: right.manifest }, signal))
    ranges.push(range);
  expect(ranges).toEqual([
    { offsetBytes: 4096, lengthBytes: 8192 },
    { offsetBytes: 98_304, lengthBytes: 8192 },
    { offsetBytes: 200_000, lengthBytes: 5000 },
  ]);
});

test("a flat image has the same bytes, one layer and no ancestors", async () => {
  const repository = await memoryRepository();
  const base = await commit(repository, patternBytes(100_000));
  const child = await commitBlocks(repository, [{ blockIndex: 2, zeroBlocks: 5 }], {
    sizeBytes: 100_000,
    blockSizeBytes,
    parent: base,
    labels: { a: "b" },
    signal,
  });
  const flat = await flattenImage(repository, child.manifest, { signal, name: parseImageName("flat") });
  expect(flat.manifest).toMatchObject({ ancestors: [], labels: { a: "b" } });
  expect(describeImage(flat.manifest)).toMatchObject({ dataBytes: 25 * 4096 - 5 * 4096, sizeBytes: 100_000 });
  expect(
    (await readImage(openImage(repository, flat.manifest))).equals(
      await readImage(openImage(repository, child.manifest)),
    ),
  ).toBe(true);
});

test("a pack holds an image whole, and equal images make equal packs", async () => {
  const from = await memoryRepository();
  const image = await commit(from, patternBytes(150_000), "base");
  const folder = scratchFolder();
  const options = { name: parseImageName("base"), signal };
  await packImage(from, { image, path: join(folder, "a") }, options);
  await packImage(from, { image, path: join(folder, "b") }, options);
  expect(readFileSync(join(folder, "a")).equals(readFileSync(join(folder, "b")))).toBe(true);
  await expect(packImage(from, { image, path: join(folder, "a") }, options)).rejects.toMatchObject({
    code: "refused",
  });
  const to = await memoryRepository();
  expect(await unpackImage(to, join(folder, "a"), { name: undefined, signal })).toMatchObject({
    id: image.id,
    name: "base",
    copiedLayers: 1,
  });
  const found = await findImage(to.store, "base", signal);
  expect((await readImage(openImage(to, found.manifest))).equals(patternBytes(150_000))).toBe(true);
});

test("every cut and many changed bytes of a pack are noticed, and leave no image", async () => {
  const from = await memoryRepository();
  const image = await commit(from, patternBytes(6000), "base");
  const path = join(scratchFolder(), "pack");
  await packImage(from, { image, path }, { name: parseImageName("base"), signal });
  const good = readFileSync(path);
  const damaged = [];
  for (let length = 0; length < good.length - 512; length += 97) damaged.push(good.subarray(0, length));
  for (let at = 0; at < good.length - 1024; at += 41) {
    const bytes = Buffer.from(good);
    bytes[at] = (bytes[at] ?? 0) ^ 0x21;
    damaged.push(bytes);
  }
  let refused = 0;
  for (const bytes of damaged) {
    writeFileSync(path, bytes);
    const to = await memoryRepository();
    try {
      await unpackImage(to, path, { name: undefined, signal });
      // what changed was padding or an owner's name: the image must be whole
      const { manifest } = await findImage(to.store, image.id, signal);
      expect((await readImage(openImage(to, manifest))).equals(patternBytes(6000))).toBe(true);
    } catch (error) {
      expect(error).toBeInstanceOf(KeyframeError);
      expect((await listImages(to.store, signal)).images).toEqual([]);
      refused += 1;
    }
  }
  expect(refused).toBeGreaterThan(damaged.length / 2);
});

test.each([
  "../escape",
  "/tmp/escape",
  "layers/../../escape",
  "names/../../escape",
  "layers/aa/short",
  "other",
])("a pack that holds %j is refused and writes nothing", async (name) => {
  const folder = scratchFolder();
  const path = join(folder, "in", "pack");
  const content = Buffer.from("owned");
  const repository = await memoryRepository();
  repository.files.makeFolder(join(folder, "in"));
  writeFileSync(
    path,
    Buffer.concat([encodeTarHeader({ name, sizeBytes: 5 }), content, Buffer.alloc(tarPadding(5) + 1024)]),
  );
  await expect(unpackImage(repository, path, { name: undefined, signal })).rejects.toMatchObject({
    code: "invalid-input",
  });
  expect([...repository.store.objects.keys()]).toEqual([]);
  expect(existsSync(join(folder, "escape"))).toBe(false);
  expect(existsSync("/tmp/escape")).toBe(false);
});

test("a symbolic link in a pack is refused", async () => {
  const path = join(scratchFolder(), "pack");
  const header = encodeTarHeader({ name: `layers/aa/${"a".repeat(64)}`, sizeBytes: 0 });
  header.write("2", 156, "latin1");
  header.write("/etc/passwd", 157, "latin1");
  header.fill(0x20, 148, 156);
  header.write(
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, "0")}\0 `,
    148,
    "latin1",
  );
  writeFileSync(path, Buffer.concat([header, Buffer.alloc(1024)]));
  await expect(
    unpackImage(await memoryRepository(), path, { name: undefined, signal }),
  ).rejects.toMatchObject({ code: "invalid-input" });
});

/** The call, made only when the gate has opened. */
function after<Args extends unknown[], T>(gate: () => Promise<void>, call: (...args: Args) => Promise<T>) {
  return async (...args: Args): Promise<T> => {
    await gate();
    return call(...args);
  };
}
