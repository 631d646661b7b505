import { resolve } from "node:path";
import { formatBytes } from "../../base/bytes.ts";
import { parseImageName } from "../../blocks/ids.ts";
import { createFromFile } from "../../blocks/images/publish/create-from-file.ts";
import { findImage } from "../../blocks/images/read/read-image.ts";
import type { CliContext } from "../command/context.ts";
import { type StoreFlags, withImages } from "./open/open-repository.ts";

export interface CreateFlags extends StoreFlags {
  readonly name?: string;
  readonly parent?: string;
  readonly blockSize?: number;
  readonly label?: readonly (readonly [string, string])[];
}

const defaultBlockSizeBytes = 4096;

/** Makes an image of a file. */
export async function create(this: CliContext, flags: CreateFlags, file: string): Promise<void> {
  await withImages(this, flags, async ({ repository, signal, progress }) => {
    const bar = progress("create", "bytes");
    const parent =
      flags.parent === undefined ? undefined : await findImage(repository.store, flags.parent, signal);
    const created = await createFromFile(repository, resolve(this.cwd, file), {
      name: flags.name === undefined ? undefined : parseImageName(flags.name),
      parent,
      blockSizeBytes: flags.blockSize ?? parent?.manifest.blockSizeBytes ?? defaultBlockSizeBytes,
      labels: Object.fromEntries(flags.label ?? []),
      signal,
      onProgress: (done, total) => bar.update(done, total),
    }).finally(() => bar.finish());
    const result = {
      id: created.id,
      name: flags.name ?? null,
      sizeBytes: created.manifest.sizeBytes,
      writtenBytes: created.rawBytes,
      storedBytes: created.layer?.objectBytes ?? 0,
      sharedBytes: created.sharedBytes,
    };
    if (flags.json) return this.terminal.json(result);
    const sizes = `${formatBytes(result.sizeBytes)}, ${formatBytes(result.writtenBytes)} of data in ${formatBytes(result.storedBytes)}`;
    this.terminal.out(`${created.id}  ${flags.name ?? ""}  ${sizes}`);
  });
}
