import { formatBytes } from "../../base/bytes.ts";
import { parseObjectName } from "../../sandbox/ids.ts";
import { describeSnapshot } from "../../sandbox/snapshot/describe.ts";
import { findSnapshot, mustBeReady } from "../../sandbox/store/snapshot-store.ts";
import { pullLazily, pullSnapshot } from "../../sandbox/transfer/pull.ts";
import { pushSnapshot } from "../../sandbox/transfer/push.ts";
import type { CliContext } from "../command/context.ts";
import { withImages } from "../image/open/open-repository.ts";
import { storeLocation } from "../image/store-location.ts";
import { sandboxWorld } from "../sandbox/world.ts";

export interface TransferFlags {
  readonly name?: string;
  readonly json?: boolean;
}

export async function pushStoredSnapshot(
  this: CliContext,
  flags: TransferFlags,
  id: string,
  store: string,
): Promise<void> {
  const world = sandboxWorld(this);
  const snapshot = mustBeReady(world, findSnapshot(world, id));
  await withImages(this, { store }, async ({ repository, signal, progress }) => {
    const bar = progress("push", "bytes");
    const result = await pushSnapshot(world, repository, snapshot, {
      name: flags.name === undefined ? snapshot.name : parseObjectName(flags.name),
      signal,
      onProgress: (_snapshot, done, total) => bar.update(done, total),
    }).finally(() => bar.finish());
    if (flags.json) return this.terminal.json(result);
    const there = result.present.length;
    this.terminal.out(
      `${result.id}  ${result.sent.length} snapshots sent (${formatBytes(result.storedBytes)}), ${there} were there`,
    );
  });
}

export async function pull(
  this: CliContext,
  flags: TransferFlags & { readonly lazy?: boolean },
  snapshot: string,
  store: string,
): Promise<void> {
  const world = sandboxWorld(this);
  await withImages(this, { store }, async ({ repository, signal, progress }) => {
    const name = flags.name === undefined ? undefined : parseObjectName(flags.name);
    const bar = progress("pull", "bytes");
    const options = {
      snapshot,
      name,
      signal,
      onProgress: (done: number, total: number) => bar.update(done, total),
    };
    const taken = await (flags.lazy
      ? pullLazily(world, repository, { ...options, storeLocation: storeLocation(this, store) })
      : pullSnapshot(world, repository, options)
    ).finally(() => bar.finish());
    if (flags.json) this.terminal.json(describeSnapshot(world, taken));
    else this.terminal.out(taken.name ?? taken.id);
  });
}
