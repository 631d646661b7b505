import { type Explanation, explainCheckpoint } from "../checkpoints/query/explain.ts";
import {
  type CheckpointFilter,
  type ListedCheckpoint,
  listCheckpoints,
} from "../checkpoints/query/list-checkpoints.ts";
import { resolveCheckpoints } from "../checkpoints/query/resolve-checkpoint.ts";
import { withFetched } from "../checkpoints/remote/fetch/fetched-stores.ts";
import { openCheckpointStores } from "../checkpoints/stores/open-stores.ts";
import { openGit } from "../git/git.ts";
import { mustFindRepository } from "../git/repository.ts";
import { type Machine, nodeMachine } from "../system/machine/machine.ts";
import { type OwnedLine, readFileOwners } from "./ask/file-owners.ts";
import { settleEverything } from "./settle-and-finish.ts";

export interface OwnersOptions {
  /** A commit, branch or tag; the work tree by default, with what is not committed. */
  readonly revision?: string;
}

export interface CheckpointListOptions extends CheckpointFilter {
  readonly limit?: number;
}

/** A repository with what Keyframe knows about it. Every method may be called at any time; nothing stays open between calls. */
export interface KeyframeRepository {
  /** The top directory of its work tree; undefined if it has none. */
  readonly workTree: string | undefined;
  /**
   * Owners of all lines of a file. `path` is relative to the top of the work tree.
   * @throws KeyframeError `not-found` for a path that is not tracked, `usage` for what is no revision
   */
  ownersOf(path: string, options?: OwnersOptions): Promise<readonly OwnedLine[]>;
  /** Checkpoints, newest first, as they are read. */
  list(options?: CheckpointListOptions): AsyncGenerator<ListedCheckpoint>;
  /**
   * What is known about the conversations that a word leads to: a checkpoint's id, the beginning of one, or a commit.
   * @throws KeyframeError `not-found`, `invalid-input`
   */
  explain(word: string): Promise<readonly Explanation[]>;
  /** Does what hooks left to do: notes of commits that none saw, and checkpoints that were not stored yet. */
  settle(): Promise<void>;
}

/**
 * Opens the repository that a directory is in. Reads only, until `settle` is called.
 * @throws KeyframeError `not-found` outside of a repository, `refused` for one that git does not trust
 */
export function openRepository(directory: string, machine: Machine = nodeMachine): KeyframeRepository {
  const repository = mustFindRepository(directory, machine);
  const git = openGit(repository, machine.processes);
  const openStores = () => withFetched(openCheckpointStores(git), git, machine.files);
  return {
    workTree: repository.workTree,
    ownersOf: (path, options = {}) =>
      readFileOwners({ git, stores: openStores(), files: machine.files }, { path, ...options }),
    list({ limit, ...filter } = {}) {
      return listCheckpoints(git, openStores(), { filter, ...(limit === undefined ? {} : { limit }) });
    },
    async explain(word) {
      const found = await resolveCheckpoints({ git, stores: openStores(), files: machine.files }, word);
      const known = found.flatMap(({ id, places }) => (places === undefined ? [] : [{ id, places }]));
      return Promise.all(
        known.map(async ({ id, places }) => (await explainCheckpoint(git, id, places)).explanation),
      );
    },
    async settle() {
      await settleEverything(git, machine);
    },
  };
}
