import { resolve } from "node:path";
import { formatBytes } from "../../base/bytes.ts";
import { parseImageName } from "../../blocks/ids.ts";
import type { BlockWrite } from "../../blocks/images/publish/block-writes.ts";
import { commitBlocks } from "../../blocks/images/publish/commit-blocks.ts";
import { findImage } from "../../blocks/images/read/read-image.ts";
import type { DirtyBlock } from "../../blocks/overlay/dirty-blocks.ts";
import { openOverlay } from "../../blocks/overlay/overlay.ts";
import { openNodeSparseFile } from "../../system/files/sparse-file.ts";
import type { CliContext } from "../command/context.ts";
import { openFlaggedReader } from "./open/open-device.ts";
import { findImageToOpen } from "./open/open-image.ts";
import { type StoreFlags, withImages } from "./open/open-repository.ts";

export interface ExportFlags extends StoreFlags {
  readonly overlay: string;
  readonly name?: string;
}

/** `keyframe image export` */
export async function exportOverlay(this: CliContext, flags: ExportFlags, image: string): Promise<void> {
  await withImages(this, flags, async ({ repository, signal, progress }) => {
    const parent = await findImage(repository.store, image, signal);
    const { sizeBytes, blockSizeBytes } = parent.manifest;
    const overlay = await openOverlay(
      {
        folder: resolve(this.cwd, flags.overlay),
        parent: openFlaggedReader(this, await findImageToOpen(this, parent.id, flags), {}),
        parentId: Buffer.from(parent.id, "hex"),
        readOnly: true,
      },
      { files: this.files, openSparseFile: openNodeSparseFile },
    );
    const bar = progress("export", "bytes");
    try {
      await overlay.freeze();
      const total = overlay.heldBlocks() * blockSizeBytes;
      const created = await commitBlocks(repository, blockWrites(overlay.dirtyBlocks(signal)), {
        sizeBytes,
        blockSizeBytes,
        parent,
        name: flags.name === undefined ? undefined : parseImageName(flags.name),
        signal,
        onProgress: (done) => bar.update(done, total),
      });
      const result = {
        id: created.id,
        name: flags.name ?? null,
        parent: parent.id,
        writtenBytes: created.rawBytes,
        storedBytes: created.layer?.objectBytes ?? 0,
      };
      if (flags.json) return this.terminal.json(result);
      const sizes = `${formatBytes(result.writtenBytes)} of changes in ${formatBytes(result.storedBytes)}`;
      this.terminal.out(`${created.id}  ${flags.name ?? ""}  ${sizes}`);
    } finally {
      bar.finish();
      await overlay.close();
    }
  });
}

async function* blockWrites(blocks: AsyncIterable<DirtyBlock>): AsyncGenerator<BlockWrite> {
  for await (const block of blocks) {
    yield "zero" in block ? { blockIndex: block.blockIndex, zeroBlocks: 1 } : block;
  }
}
