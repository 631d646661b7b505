import type { Git } from "../../git/git.ts";
import { committerIdentity } from "../../git/identity.ts";
import { type ObjectFormat, readObjectFormat } from "../../git/objects/bulk-writer.ts";
import type { CommitContext } from "./commit-targets.ts";
import { readStoreRefs, type StoreRefs } from "./layout-refs.ts";
import type { CheckpointWriteOptions } from "./store.ts";

/** What the stores share: the repository, and facts about it that are asked for once. */
export interface StoreContext {
  readonly git: Git;
  /** The refs of all stores; stores that ask at the same moment share one answer. */
  readRefs(): Promise<StoreRefs>;
  commitContext(options: CheckpointWriteOptions, reason: string): Promise<CommitContext>;
}

export function openStoreContext(git: Git): StoreContext {
  let format: Promise<ObjectFormat> | undefined;
  let identity: Promise<string> | undefined;
  let reading: Promise<StoreRefs> | undefined;
  return {
    git,
    readRefs() {
      if (reading === undefined) {
        reading = readStoreRefs(git);
        // who asks later may want what was written since
        queueMicrotask(() => {
          reading = undefined;
        });
      }
      return reading;
    },
    async commitContext({ nowSeconds, identity: given }, reason) {
      format ??= readObjectFormat(git);
      identity ??= committerIdentity(git);
      const [known, user] = await Promise.all([format, given ?? identity]);
      return { git, format: known, identity: user, nowSeconds, reason };
    },
  };
}
