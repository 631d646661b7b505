import { must } from "../../base/assert.ts";
import type { Git } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";
import type { CommitPatch, FilePatch } from "../../git/objects/file-patch.ts";
import { type ParentPair, readParentPatches } from "../../git/objects/patch.ts";
import type { AuthorshipLog } from "../note/log.ts";
import { type NoteSource, readAuthorshipLogs } from "../note/note-source.ts";
import type { ListedCommit } from "./commit-list.ts";

export interface PatchedCommit {
  readonly commit: ListedCommit;
  /** Its changes against each parent; a root commit has one list. */
  readonly patches: readonly (readonly FilePatch[])[];
}

export interface LoggedCommit extends PatchedCommit {
  /** Its note, if it has one. */
  readonly log: AuthorshipLog | undefined;
}

/** Notes that are held at once: some are megabytes of transcript. */
const noteBatch = 200;

/** Adds the notes, read in batches, to a stream of changes in the order of `commits`. */
export async function* withLogs(
  source: NoteSource,
  commits: readonly ListedCommit[],
  changes: AsyncIterable<PatchedCommit>,
): AsyncGenerator<LoggedCommit> {
  let logs: Awaited<ReturnType<typeof readAuthorshipLogs>> = new Map();
  let index = 0;
  for await (const change of changes) {
    if (index % noteBatch === 0) {
      const batch = commits.slice(index, index + noteBatch);
      logs = await readAuthorshipLogs(
        source,
        batch.map(({ commit }) => commit),
      );
    }
    index += 1;
    yield { ...change, log: logs.get(change.commit.commit)?.log };
  }
}

/** Each commit with its changes against every parent; one empty list of parents is a root commit. */
export async function* patchesByCommit(
  git: Git,
  commits: readonly ListedCommit[],
): AsyncGenerator<PatchedCommit> {
  const pairs = commits.flatMap(({ commit, parents }): ParentPair[] =>
    parents.length === 0 ? [{ commit, parent: undefined }] : parents.map((parent) => ({ commit, parent })),
  );
  let index = 0;
  let patches: (readonly FilePatch[])[] = [];
  for await (const patch of readParentPatches(git, pairs)) {
    const commit = must(commits[index], "a change belongs to a commit of the range");
    patches.push(checked(patch, commit.commit).files);
    if (patches.length < commit.parents.length) continue;
    yield { commit, patches };
    patches = [];
    index += 1;
  }
}

function checked(patch: CommitPatch, commit: Oid): CommitPatch {
  return must(patch.commit === commit ? patch : undefined, "changes come in the order they were asked for");
}
