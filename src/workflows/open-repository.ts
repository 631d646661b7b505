import { pendingOwnersOf } from "../authorship/blame/journal-owners.ts";
import { openOwnerLookup } from "../authorship/blame/owner-lookup.ts";
import { parseBlamePorcelain } from "../authorship/blame/porcelain.ts";
import { openNoteSource } from "../authorship/note/note-source.ts";
import type { Owner } from "../authorship/note/owners.ts";
import { KeyframeError } from "../base/errors.ts";
import { type Explanation, explainCheckpoint } from "../checkpoints/query/explain.ts";
import {
  type CheckpointFilter,
  type ListedCheckpoint,
  listCheckpoints,
} from "../checkpoints/query/list-checkpoints.ts";
import { resolveCheckpoints } from "../checkpoints/query/resolve-checkpoint.ts";
import { withFetched } from "../checkpoints/remote/fetched-stores.ts";
import { openCheckpointStores } from "../checkpoints/stores/stores.ts";
import { type Git, openGit } from "../git/git.ts";
import type { Oid } from "../git/ids.ts";
import { fixedLineChoice } from "../git/objects/line-choice.ts";
import { openObjectReader } from "../git/objects/objects.ts";
import { mustFindRepository, type Repository } from "../git/repository.ts";
import { type Machine, nodeMachine } from "../system/machine/machine.ts";
import { settleEverything } from "./settle-and-finish.ts";

/** A line of a file and who owns it. */
export interface OwnedLine {
  /** 1-based. */
  readonly line: number;
  /** The commit that wrote it; undefined while it is not committed. */
  readonly commit: Oid | undefined;
  /** Undefined where nobody knows; never a guess. */
  readonly owner: Owner | undefined;
  readonly text: string;
}

export interface OwnersOptions {
  /** A commit, branch or tag; the work tree by default, with what is not committed. */
  readonly revision?: string;
}

export interface ListOptions extends CheckpointFilter {
  readonly limit?: number;
}

/** A repository with what Keyframe knows about it. Every method may be called at any time; nothing stays open between calls. */
export interface KeyframeRepository {
  /** The top directory of its work tree; undefined if it has none. */
  readonly workTree: string | undefined;
  /**
   * Owners of all lines of a file. `path` is relative to the directory that was opened.
   * @throws KeyframeError `not-found` for a path that is not tracked
   */
  ownersOf(path: string, options?: OwnersOptions): Promise<readonly OwnedLine[]>;
  /** Checkpoints, newest first, as they are read. */
  list(options?: ListOptions): AsyncGenerator<ListedCheckpoint>;
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
    ownersOf: (path, options = {}) => ownersOf({ git, machine, repository, directory }, path, options),
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

interface Opened {
  readonly git: Git;
  readonly machine: Machine;
  readonly repository: Repository;
  readonly directory: string;
}

async function ownersOf(
  { git, machine, repository, directory }: Opened,
  path: string,
  { revision }: OwnersOptions,
): Promise<readonly OwnedLine[]> {
  if (revision?.startsWith("-")) throw new KeyframeError("invalid-input", `not a revision: ${revision}`);
  const args = [
    ...fixedLineChoice,
    "blame",
    "--porcelain",
    ...(revision === undefined ? [] : [revision]),
    "--",
    path,
  ];
  const blamed = await machine.processes.run("git", args, { cwd: directory });
  if (blamed.code !== 0) {
    throw new KeyframeError("not-found", `no owners of ${path}: ${blamed.stderr.trim()}`, {
      hint: "the path is relative to the directory that was opened, and must be tracked by git",
    });
  }
  const lines = parseBlamePorcelain(blamed.stdout);
  const reader = openObjectReader(git);
  try {
    const pending = revision === undefined ? pendingOwnersOf(repository, machine.files) : undefined;
    const lookup = openOwnerLookup(openNoteSource(git, reader, machine.files), pending);
    await lookup.load(lines.map(({ commit }) => commit));
    return lines.map((line) => ({
      line: line.finalLine,
      commit: /^0+$/.test(line.commit) ? undefined : line.commit,
      owner: lookup.ownerOf(line)?.owner,
      text: Buffer.from(line.contentBytes, "latin1").toString("utf8"),
    }));
  } finally {
    await reader.close();
  }
}
