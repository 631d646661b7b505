import type { Git } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";
import type { ObjectReader } from "../../git/objects/objects.ts";
import type { Files } from "../../system/files/files.ts";
import { parseAuthorshipLog } from "../note/log-codec.ts";
import { type NoteSource, openNoteSource } from "../note/note-source.ts";
import { ChangeIndex } from "./changes/change-index.ts";
import type { CountedChange } from "./changes/change-record.ts";
import { claimsOf } from "./changes/note-claims.ts";
import { type PatchedCommit, patchesByCommit } from "./commit-changes.ts";
import type { ListedCommit } from "./commit-list.ts";
import type { CommitChange } from "./counter.ts";

export interface CountedSources {
  readonly git: Git;
  readonly reader: ObjectReader;
  readonly files: Files;
  /** Opened before, where commits are counted in several batches. */
  readonly index?: ChangeIndex | undefined;
}

/** Fewer commits are read as quickly as the index is. */
const minIndexed = 20;
/** Notes that are held at once: some are megabytes of transcript. */
const noteBatch = 200;

export interface CountedChanges {
  /** What decides all of it: commits, their parents, and the blobs of their notes. */
  readonly key: string;
  /**
   * In the order of `commits`. What was read once is taken from the index and only the rest from git, by one stream of
   * changes.
   */
  read(): AsyncGenerator<ReadChange>;
}

export interface ReadChange {
  readonly change: CommitChange;
  /** True if the commit and the blob of its note alone decide it. */
  readonly isPlain: boolean;
}

/** What each commit changed and what its note claims: one listing of notes, and the rest once it is asked for. */
export async function findCountedChanges(
  sources: CountedSources,
  commits: readonly ListedCommit[],
): Promise<CountedChanges> {
  const source = openNoteSource(sources.git, sources.reader, sources.files);
  const blobs = await source.find(commits.map(({ commit }) => commit));
  return {
    key: commits
      .map(({ commit, parents }) => `${commit} ${blobs.get(commit) ?? "-"} ${parents.join(" ")}\n`)
      .join(""),
    read: () => readChanges(sources, commits, { source, blobs }),
  };
}

interface FoundNotes {
  readonly source: NoteSource;
  readonly blobs: ReadonlyMap<Oid, Oid>;
}

async function* readChanges(
  { git, files, index: opened }: CountedSources,
  commits: readonly ListedCommit[],
  notes: FoundNotes,
): AsyncGenerator<ReadChange> {
  const index = opened ?? (commits.length < minIndexed ? undefined : ChangeIndex.open(git.repository, files));
  const keyOf = ({ commit }: ListedCommit) => `${commit} ${notes.blobs.get(commit) ?? "-"}`;
  const known = new Map<Oid, CountedChange>();
  for (const listed of commits) {
    const found = index?.find(keyOf(listed));
    if (found !== undefined && isSame(found.parents, listed.parents)) known.set(listed.commit, found);
  }
  const missing = commits.filter(({ commit }) => !known.has(commit));
  const read = readMissing(git, notes, missing);
  for (const commit of commits) {
    const found = known.get(commit.commit);
    known.delete(commit.commit);
    if (found !== undefined) {
      yield { change: { commit, ...found }, isPlain: true };
      continue;
    }
    const { value, done } = await read.next();
    if (done === true) break;
    if (value.isPlain) index?.add(keyOf(commit), { ...value.change, parents: commit.parents });
    yield value;
  }
  index?.flush();
}

async function* readMissing(
  git: Git,
  { source, blobs }: FoundNotes,
  commits: readonly ListedCommit[],
): AsyncGenerator<ReadChange, undefined> {
  let notes: Awaited<ReturnType<NoteSource["readBlobs"]>> = new Map();
  let index = 0;
  for await (const patched of patchesByCommit(git, commits)) {
    if (index % noteBatch === 0) {
      const batch = commits.slice(index, index + noteBatch);
      notes = await source.readBlobs(
        new Map(batch.flatMap(({ commit }) => withBlob(commit, blobs.get(commit)))),
      );
    }
    index += 1;
    yield withClaims(patched, notes.get(patched.commit.commit), blobs.has(patched.commit.commit));
  }
  return undefined;
}

function withBlob(commit: Oid, blob: Oid | undefined): [Oid, Oid][] {
  return blob === undefined ? [] : [[commit, blob]];
}

function withClaims(
  patched: PatchedCommit,
  note: { readonly bytes: Buffer; readonly isPlain: boolean } | undefined,
  hasNote: boolean,
): ReadChange {
  const claims = note && claimsOf(parseAuthorshipLog(note.bytes).log);
  // a note that is not on this machine may come
  return { change: { ...patched, claims }, isPlain: note?.isPlain ?? !hasNote };
}

function isSame(a: readonly Oid[], b: readonly Oid[]): boolean {
  return a.length === b.length && a.every((oid, index) => oid === b[index]);
}
