import { withFetched } from "../../checkpoints/remote/fetch/fetched-stores.ts";
import { type CheckpointStores, openCheckpointStores } from "../../checkpoints/stores/open-stores.ts";
import { borrowFetched } from "../../git/fetched-objects.ts";
import { type Git, openGit } from "../../git/git.ts";
import { mustFindRepository } from "../../git/repository.ts";
import type { CliContext } from "./context.ts";

/** The repository that the command runs in. @throws KeyframeError `not-found` */
export function openRepositoryGit(context: CliContext): Git {
  return openGit(mustFindRepository(context.cwd, context), context.processes, context.env);
}

/** The stores of the repository, and for reading what was fetched of remotes besides. */
export function openReadableCheckpoints(context: CliContext): {
  readonly git: Git;
  readonly stores: CheckpointStores;
} {
  const { git, stores } = openRepositoryCheckpoints(context);
  return { git: borrowFetched(git, context.files), stores: withFetched(stores, git, context.files) };
}

export function openRepositoryCheckpoints(context: CliContext): {
  readonly git: Git;
  readonly stores: CheckpointStores;
} {
  const git = openRepositoryGit(context);
  return { git, stores: openCheckpointStores(git) };
}
