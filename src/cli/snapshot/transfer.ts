import { formatBytes } from "../../base/bytes.ts";
import { parseObjectName } from "../../sandbox/ids.ts";
import { describeSnapshot } from "../../sandbox/snapshot/describe.ts";
import { findSnapshot, mustBeReady } from "../../sandbox/store/snapshot-store.ts";
import { pullLazily, pullSnapshot } from "../../sandbox/transfer/pull.ts";
import { pushSnapshot } from "../../sandbox/transfer/push.ts";
import type { CliContext } from "../command/context.ts";
import { withImages } from "../image/open/open-repository.ts";
import { storeLocation } from "../image/store-location.ts";
import { sandboxContextOf } from "../sandbox/context.ts";

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
  const sandboxContext = sandboxContextOf(this);
  const snapshot = mustBeReady(sandboxContext, findSnapshot(sandboxContext, id));
  await withImages(this, { store }, async ({ repository, signal, progress }) => {
    const bar = progress("push", "bytes");
    const result = await pushSnapshot(sandboxContext, repository, snapshot, {
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
  const sandboxContext = sandboxContextOf(this);
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
      ? pullLazily(sandboxContext, repository, { ...options, storeLocation: storeLocation(this, store) })
      : pullSnapshot(sandboxContext, repository, options)
    ).finally(() => bar.finish());
    if (flags.json) this.terminal.json(describeSnapshot(sandboxContext, taken));
    else this.terminal.out(taken.name ?? taken.id);
  });
}
