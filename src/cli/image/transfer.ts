import { resolve } from "node:path";
import { formatBytes } from "../../base/bytes.ts";
import { type ImageName, isIdPrefix, parseImageName } from "../../blocks/ids.ts";
import { packImage } from "../../blocks/images/pack-image.ts";
import { findImage } from "../../blocks/images/read/read-image.ts";
import { type TransferResult, transferImage } from "../../blocks/images/transfer-image.ts";
import { unpackImage } from "../../blocks/images/unpack-image.ts";
import type { ObjectStore } from "../../blocks/stores/interface/object-store.ts";
import type { CliContext } from "../command/context.ts";
import { type ImageSession, type StoreFlags, withImages } from "./open/open-repository.ts";

export interface ImageTransferFlags extends StoreFlags {
  readonly name?: string;
}

/** Copies an image from our store to another. */
export async function pushStoredImage(
  this: CliContext,
  flags: ImageTransferFlags,
  image: string,
  store: string,
): Promise<void> {
  await withImages(this, flags, async (session) => {
    await copy(this, flags, {
      session,
      image,
      label: "push",
      from: session.repository.store,
      to: session.openStore(store),
    });
  });
}

/** Copies an image from another store to ours. */
export async function pullStoredImage(
  this: CliContext,
  flags: ImageTransferFlags,
  image: string,
  store: string,
): Promise<void> {
  await withImages(this, flags, async (session) => {
    await copy(this, flags, {
      session,
      image,
      label: "pull",
      from: session.openStore(store),
      to: session.repository.store,
    });
  });
}

interface CopyJob {
  readonly session: ImageSession;
  readonly image: string;
  readonly label: string;
  readonly from: ObjectStore;
  readonly to: ObjectStore;
}

async function copy(context: CliContext, flags: ImageTransferFlags, job: CopyJob): Promise<void> {
  const { session, image, from, to } = job;
  const { signal, repository } = session;
  const found = await findImage(from, image, signal);
  const name = targetName(flags, image);
  const bar = session.progress(job.label, "bytes");
  const result = await transferImage({ from, to }, found, {
    name,
    clock: repository.clock,
    random: repository.random,
    signal,
    onProgress: (done, total) => bar.update(done, total),
  }).finally(() => bar.finish());
  report(context, flags, { ...result, name });
}

/** The name that is asked for, else the one by which the image was found, if it was found by name. */
function targetName(flags: ImageTransferFlags, image: string): ImageName | undefined {
  if (flags.name !== undefined) return parseImageName(flags.name);
  return isIdPrefix(image) ? undefined : parseImageName(image);
}

function report(
  context: CliContext,
  flags: StoreFlags,
  result: TransferResult & { readonly name: ImageName | undefined },
): void {
  const { id, name, copiedLayers, copiedBytes, presentLayers } = result;
  if (flags.json) context.terminal.json({ id, name: name ?? null, copiedLayers, copiedBytes, presentLayers });
  else
    context.terminal.out(
      `${id}  ${name ?? ""}  copied ${copiedLayers} layers (${formatBytes(copiedBytes)}), ${presentLayers} were there`,
    );
}

/** Writes an image into one file. */
export async function packStoredImage(
  this: CliContext,
  flags: StoreFlags,
  image: string,
  file: string,
): Promise<void> {
  await withImages(this, flags, async ({ repository, signal, progress }) => {
    const found = await findImage(repository.store, image, signal);
    const bar = progress("pack", "bytes");
    const path = resolve(this.cwd, file);
    const fileBytes = await packImage(
      repository,
      { image: found, path },
      {
        name: targetName({}, image),
        signal,
        onProgress: (done, total) => bar.update(done, total),
      },
    ).finally(() => bar.finish());
    if (flags.json) return this.terminal.json({ id: found.id, path, fileBytes });
    this.terminal.out(`${found.id}  ${path}  ${formatBytes(fileBytes)}`);
  });
}

/** Takes the image of a pack into a store. */
export async function unpackStoredImage(
  this: CliContext,
  flags: ImageTransferFlags,
  file: string,
): Promise<void> {
  await withImages(this, flags, async ({ repository, signal, progress }) => {
    const bar = progress("unpack", "bytes");
    const unpacked = await unpackImage(repository, resolve(this.cwd, file), {
      name: flags.name === undefined ? undefined : parseImageName(flags.name),
      signal,
      onProgress: (done, total) => bar.update(done, total),
    }).finally(() => bar.finish());
    report(this, flags, unpacked);
  });
}
