import type { Git } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";
import type { ObjectReader } from "../../git/objects/objects.ts";
import { findNoteBlobs, readNoteBlobs } from "../../git/refs/notes.ts";
import { mayHaveRefsBelow } from "../../git/repository.ts";
import type { Files } from "../../system/files/files.ts";
import { type ParsedAuthorshipLog, parseAuthorshipLog } from "./log-codec.ts";
import { notesRef } from "./notes-ref.ts";
import { isPlainNote, withRewrittenNotes } from "./rewritten-notes.ts";

/** Where the first versions of the format kept one blob per commit. */
const legacyRefFolder = "refs/ai/authorship";

/** Reads the notes of commits. Commits without a note are absent. */
export interface NoteSource {
  read(commits: readonly Oid[]): Promise<Map<Oid, Buffer>>;
  /** The blobs that hold them, which are not read. */
  find(commits: readonly Oid[]): Promise<Map<Oid, Oid>>;
  /** What `find` named; `isPlain` says that nothing but its blob decides what a note says about its commit. */
  readBlobs(
    blobs: ReadonlyMap<Oid, Oid>,
  ): Promise<Map<Oid, { readonly bytes: Buffer; readonly isPlain: boolean }>>;
}

export function openNoteSource(git: Git, reader: ObjectReader, files: Files): NoteSource {
  let legacy: Promise<ReadonlyMap<Oid, Oid>> | undefined;

  async function find(commits: readonly Oid[]): Promise<Map<Oid, Oid>> {
    const blobs = await findNoteBlobs(reader, notesRef, commits);
    legacy ??= mayHaveRefsBelow(git.repository, legacyRefFolder, files)
      ? listLegacyNotes(git)
      : Promise.resolve(new Map());
    const old = await legacy;
    for (const commit of old.size === 0 ? [] : commits) {
      const blob = blobs.has(commit) ? undefined : old.get(commit);
      if (blob !== undefined) blobs.set(commit, blob);
    }
    return blobs;
  }

  async function readBlobs(blobs: ReadonlyMap<Oid, Oid>) {
    const stored = await readNoteBlobs(reader, blobs);
    const plain = new Set(
      [...stored].filter(([commit, bytes]) => isPlainNote(commit, bytes)).map(([commit]) => commit),
    );
    const odd = new Map([...stored].filter(([commit]) => !plain.has(commit)));
    const reread = await withRewrittenNotes({ git, reader }, odd);
    return new Map(
      [...stored].map(([commit, bytes]) => [
        commit,
        { bytes: reread.get(commit) ?? bytes, isPlain: plain.has(commit) },
      ]),
    );
  }

  return {
    find,
    readBlobs,
    async read(commits) {
      const notes = await readBlobs(await find(commits));
      return new Map([...notes].map(([commit, { bytes }]) => [commit, bytes]));
    },
  };
}

async function listLegacyNotes(git: Git): Promise<Map<Oid, Oid>> {
  const text = await git.text(["for-each-ref", "--format=%(objectname) %(refname)", legacyRefFolder]);
  return new Map(
    text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => [line.slice(line.lastIndexOf("/") + 1) as Oid, line.slice(0, line.indexOf(" ")) as Oid]),
  );
}

/** `read`, parsed. */
export async function readAuthorshipLogs(
  source: NoteSource,
  commits: readonly Oid[],
): Promise<Map<Oid, ParsedAuthorshipLog>> {
  const notes = await source.read(commits);
  return new Map([...notes].map(([commit, bytes]) => [commit, parseAuthorshipLog(bytes)]));
}
