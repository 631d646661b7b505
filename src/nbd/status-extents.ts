import type { ImageExtent } from "../blocks/streamed-image.ts";
import { maxStatusExtents } from "./limits.ts";

/** Neighbours of one kind joined; the first one only, or as many as an answer may have. */
export function statusExtents(
  extents: Iterable<ImageExtent>,
  oneOnly: boolean,
): Pick<ImageExtent, "kind" | "lengthBytes">[] {
  const limit = oneOnly ? 1 : maxStatusExtents;
  const joined: { kind: ImageExtent["kind"]; lengthBytes: number }[] = [];
  for (const { kind, lengthBytes } of extents) {
    const last = joined[joined.length - 1];
    if (last?.kind === kind) last.lengthBytes += lengthBytes;
    else if (joined.length === limit) break;
    else joined.push({ kind, lengthBytes });
  }
  return joined;
}
