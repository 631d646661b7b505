import type { CheckpointStores } from "../../checkpoints/stores/open-stores.ts";
import type { Git } from "../../git/git.ts";
import type { Files } from "../../system/files/files.ts";

/** What questions about a repository are asked with. Everything is only read. */
export interface AskContext {
  readonly git: Git;
  /** Of the repository, and of what was fetched. */
  readonly stores: CheckpointStores;
  readonly files: Files;
}
