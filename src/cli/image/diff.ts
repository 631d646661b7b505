import { formatBytes } from "../../base/bytes.ts";
import { diffImages } from "../../blocks/images/diff-images.ts";
import { findImage } from "../../blocks/images/read/read-image.ts";
import type { ByteRange } from "../../blocks/streamed-image.ts";
import type { CliContext } from "../command/context.ts";
import { type StoreFlags, withImages } from "./open/open-repository.ts";

/** Shows the ranges in which two images differ. */
export async function diffStoredImages(
  this: CliContext,
  flags: StoreFlags,
  first: string,
  second: string,
): Promise<void> {
  await withImages(this, flags, async ({ repository, signal }) => {
    const a = (await findImage(repository.store, first, signal)).manifest;
    const b = (await findImage(repository.store, second, signal)).manifest;
    const ranges: ByteRange[] = [];
    let differentBytes = 0;
    for await (const range of diffImages(repository, { a, b }, signal)) {
      differentBytes += range.lengthBytes;
      if (flags.json) ranges.push(range);
      else this.terminal.out(`${range.offsetBytes}\t${range.lengthBytes}`);
    }
    if (flags.json) return this.terminal.json({ differentBytes, ranges });
    this.terminal.note(`${formatBytes(differentBytes)} differ`);
  });
}
