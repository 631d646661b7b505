import type { RemoteSnapshot } from "../../sandbox/transfer/remote-snapshot.ts";

/** The ids of all images that a chain of snapshots consists of, in order and each once. */
export function imagesOf(chain: readonly RemoteSnapshot[]): string[] {
  return [...new Set(chain.flatMap(({ memory, disk }) => [memory, ...disk.values()]))].sort();
}
