import { removeImage } from "../../blocks/images/remove-image.ts";
import type { CliContext } from "../command/context.ts";
import { type StoreFlags, withImages } from "./open/open-repository.ts";

/** Removes a name, and the image when it was the last. */
export async function removeStoredImages(this: CliContext, flags: StoreFlags, image: string): Promise<void> {
  await withImages(this, flags, async ({ repository, signal }) => {
    const removed = await removeImage(repository.store, image, signal);
    if (flags.json) return this.terminal.json(removed);
    const names = removed.names.length === 0 ? "" : `  ${removed.names.join(" ")}`;
    this.terminal.out(`${removed.id}${names}  ${removed.isGone ? "removed" : "keeps its other names"}`);
  });
}
