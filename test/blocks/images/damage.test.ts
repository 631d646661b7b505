import { expect, test } from "vitest";
import { KeyframeError } from "../../../src/base/errors.ts";
import { parseImageName } from "../../../src/blocks/ids.ts";
import { listImages } from "../../../src/blocks/images/list-images.ts";
import { commitBlocks } from "../../../src/blocks/images/publish/commit-blocks.ts";
import { openImage } from "../../../src/blocks/images/read/layered-image.ts";
import { findImage } from "../../../src/blocks/images/read/read-image.ts";
import { transferImage } from "../../../src/blocks/images/transfer-image.ts";
import { verifyImage } from "../../../src/blocks/images/verify-image.ts";
import {
  memoryRepository,
  readImage,
  neverAborted as signal,
  wholeWrite,
} from "../../support/image-repository.ts";
import { patternBytes } from "../../support/memory-image.ts";

/** Small enough to damage every byte: raw and compressed frames, zeros, two layers. */
async function smallImage() {
  const repository = await memoryRepository();
  const bytes = Buffer.concat([
    patternBytes(1100),
    Buffer.from("compressible ".repeat(60)),
    Buffer.alloc(1024),
    patternBytes(700, 3),
  ]);
  const name = parseImageName("small");
  const base = await commitBlocks(repository, wholeWrite(bytes), {
    sizeBytes: bytes.length,
    blockSizeBytes: 512,
    signal,
  });
  bytes.fill(0x55, 512, 1024);
  const parent = { id: base.id, manifest: base.manifest };
  const child = await commitBlocks(repository, [{ blockIndex: 1, data: bytes.subarray(512, 1024) }], {
    sizeBytes: bytes.length,
    blockSizeBytes: 512,
    parent,
    name,
    signal,
  });
  return { repository, bytes, id: child.id, name };
}

async function readAll(
  repository: Awaited<ReturnType<typeof memoryRepository>>,
  name: string,
): Promise<Buffer> {
  const { manifest } = await findImage(repository.store, name, signal);
  return readImage(openImage(repository, manifest));
}

test("every change of a single byte of a stored object is noticed when the image is read", async () => {
  const { repository, bytes, name } = await smallImage();
  expect((await readAll(repository, name)).equals(bytes)).toBe(true);
  let noticed = 0;
  const { id } = await findImage(repository.store, name, signal);
  for (const [key, object] of repository.store.objects) {
    // the base image's own manifest is no part of the child
    if (key.startsWith("manifests/") && !key.endsWith(id)) continue;
    const good = object.bytes;
    for (let at = 0; at < good.length; at += 1) {
      object.bytes = Buffer.from(good);
      object.bytes[at] = (object.bytes[at] ?? 0) ^ (1 << (at % 8));
      await expect(readAll(repository, name), `${key} byte ${at}`).rejects.toMatchObject({ code: "damaged" });
      noticed += 1;
    }
    object.bytes = good;
  }
  expect(noticed).toBeGreaterThan(2500);
  expect((await readAll(repository, name)).equals(bytes)).toBe(true);
});

test("every cut of a stored object is noticed when the image is read", async () => {
  const { repository, name } = await smallImage();
  const { id } = await findImage(repository.store, name, signal);
  for (const [key, object] of repository.store.objects) {
    if (key.startsWith("manifests/") && !key.endsWith(id)) continue;
    const good = object.bytes;
    for (let length = 0; length < good.length; length += 1) {
      object.bytes = good.subarray(0, length);
      await expect(readAll(repository, name), `${key} cut at ${length}`).rejects.toMatchObject({
        code: "damaged",
      });
    }
    object.bytes = good;
  }
});

test("verification names what is damaged and goes on, and a missing layer is a problem too", async () => {
  const { repository, name } = await smallImage();
  const { manifest } = await findImage(repository.store, name, signal);
  expect(await verifyImage(repository, manifest, { signal })).toMatchObject({ problems: [], layers: 2 });
  const keys = manifest.layers.map(({ id }) => `layers/${id.slice(0, 2)}/${id}`);
  const [first, second] = keys.map((key) => repository.store.objects.get(key));
  if (first === undefined || second === undefined) throw new Error("the image has two layers");
  first.bytes = Buffer.from(first.bytes);
  first.bytes[200] = (first.bytes[200] ?? 0) ^ 1;
  repository.store.objects.delete(keys[1] ?? "");
  const { problems } = await verifyImage(repository, manifest, { signal });
  expect(problems).toHaveLength(2);
  expect(problems[0]).toContain(manifest.layers[0]?.id.slice(0, 16));
  expect(problems[1]).toContain("no object");
});

test("verification sees every changed byte of every layer", async () => {
  const { repository, name } = await smallImage();
  const { manifest } = await findImage(repository.store, name, signal);
  for (const [key, object] of repository.store.objects) {
    if (!key.startsWith("layers/")) continue;
    const good = object.bytes;
    for (let at = 0; at < good.length; at += 7) {
      object.bytes = Buffer.from(good);
      object.bytes[at] = (object.bytes[at] ?? 0) ^ 0x10;
      expect((await verifyImage(repository, manifest, { signal })).problems, `${key} byte ${at}`).not.toEqual(
        [],
      );
    }
    object.bytes = Buffer.concat([good, Buffer.alloc(1)]);
    expect((await verifyImage(repository, manifest, { signal })).problems).not.toEqual([]);
    object.bytes = good;
  }
});

test("a damaged image is not copied to another store: nothing appears there", async () => {
  const { repository, name } = await smallImage();
  const image = await findImage(repository.store, name, signal);
  const { store: to } = await memoryRepository();
  const [key, object] = [...repository.store.objects].find(([each]) => each.startsWith("layers/")) ?? [];
  if (key === undefined || object === undefined) throw new Error("there is a layer");
  object.bytes = Buffer.from(object.bytes);
  object.bytes[130] = (object.bytes[130] ?? 0) ^ 1;
  const options = { name, clock: repository.clock, random: repository.random, signal };
  await expect(transferImage({ from: repository.store, to }, image, options)).rejects.toBeInstanceOf(
    KeyframeError,
  );
  expect([...to.objects.keys()].filter((each) => !each.startsWith("layers/"))).toEqual([]);
  expect(to.objects.has(key)).toBe(false);
});

test("one damaged manifest or name does not hide the other images", async () => {
  const { repository, name, id } = await smallImage();
  const manifest = repository.store.objects.get(`manifests/${id}`);
  if (manifest === undefined) throw new Error("the manifest is there");
  const good = manifest.bytes;
  manifest.bytes = Buffer.from("rubbish");
  let listing = await listImages(repository.store, signal);
  expect(listing.images).toHaveLength(2);
  expect(listing.images.find((image) => image.id === id)).toMatchObject({
    names: [name],
    manifest: undefined,
  });
  manifest.bytes = good;
  repository.store.objects.set("names/broken", { bytes: Buffer.from("x"), createdMs: 0 });
  listing = await listImages(repository.store, signal);
  expect(listing.images.every((image) => image.manifest !== undefined)).toBe(true);
  expect(listing.problems).toHaveLength(1);
});

test("a whole, sound layer of another image in the place of this one's is noticed: the id of an image verifies all of it", async () => {
  const repository = await memoryRepository();
  const make = (seed: number) =>
    commitBlocks(repository, wholeWrite(patternBytes(4096, seed)), {
      sizeBytes: 4096,
      blockSizeBytes: 512,
      signal,
    });
  const images = [await make(1), await make(2)];
  const [own, other] = images.map(({ manifest }) => {
    const layer = manifest.layers[0]?.id ?? "";
    return [...repository.store.objects].find(([key]) => key.includes(layer))?.[1];
  });
  if (own === undefined || other === undefined || images[0] === undefined) throw new Error("no layers");
  expect(own.bytes.length).toBe(other.bytes.length);
  own.bytes = Buffer.from(other.bytes);
  await expect(readImage(openImage(repository, images[0].manifest))).rejects.toMatchObject({
    code: "damaged",
  });
});
