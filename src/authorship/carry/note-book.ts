import type { Git } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";
import type { ObjectReader } from "../../git/objects/objects.ts";
import { listNotes, readNotes } from "../../git/refs/notes.ts";
import {
  type AuthorshipLog,
  type AuthorshipMetadata,
  type FileOwners,
  normalisePath,
  ownersByPath,
} from "../note/log.ts";
import { parseAuthorshipLog } from "../note/log-codec.ts";
import { notesRef } from "../note/notes-ref.ts";
import { withRewrittenNotes } from "../note/rewritten-notes.ts";
import type { OwnerRuns } from "../rules/owner-runs.ts";

interface Page {
  readonly metadata: AuthorshipMetadata;
  readonly files: ReadonlyMap<string, FileOwners>;
}

/** The notes as they are, and as they will be once what was found so far is written. */
export class NoteBook {
  readonly #git: Git;
  readonly #reader: ObjectReader;
  readonly #pages = new Map<Oid, Page | undefined>();
  #noted: Promise<ReadonlySet<Oid>> | undefined;

  constructor(git: Git, reader: ObjectReader) {
    this.#git = git;
    this.#reader = reader;
  }

  /** All commits that have a note, those that are not here included. */
  listNoted(): Promise<ReadonlySet<Oid>> {
    this.#noted ??= listNotes(this.#git, notesRef).then((notes) => new Set(notes.keys()));
    return this.#noted;
  }

  async load(commits: Iterable<Oid>): Promise<void> {
    const missing = [...new Set(commits)].filter((commit) => !this.#pages.has(commit));
    if (missing.length === 0) return;
    const source = { git: this.#git, reader: this.#reader };
    const notes = await withRewrittenNotes(source, await readNotes(this.#reader, notesRef, missing));
    for (const commit of missing) {
      const note = notes.get(commit);
      this.#pages.set(commit, note && pageOf(parseAuthorshipLog(note).log));
    }
  }

  /** What will be written of a commit, on top of what its note says. */
  add(commit: Oid, log: AuthorshipLog): void {
    const page = this.#pages.get(commit);
    const added = pageOf(log);
    // where both say something, what stood there first stays: readers below ask by line
    this.#pages.set(
      commit,
      page === undefined ? added : { ...added, files: new Map([...added.files, ...page.files]) },
    );
  }

  /** Owners of the lines that a loaded commit added to a file. */
  runsOf(commit: Oid, path: string): OwnerRuns {
    return this.#pages.get(commit)?.files.get(normalisePath(path))?.runs ?? [];
  }

  /** Paths in which a loaded commit has owned lines. */
  pathsOf(commit: Oid): string[] {
    return [...(this.#pages.get(commit)?.files.values() ?? [])].map(({ path }) => path);
  }

  metadataOf(commit: Oid): AuthorshipMetadata | undefined {
    return this.#pages.get(commit)?.metadata;
  }
}

function pageOf(log: AuthorshipLog): Page {
  return { metadata: log.metadata, files: ownersByPath(log) };
}
