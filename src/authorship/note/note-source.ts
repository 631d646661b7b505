import type { Git } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";
import type { ObjectReader } from "../../git/objects/objects.ts";
import { readNotes } from "../../git/refs/notes.ts";
import { mayHaveRefsBelow } from "../../git/repository.ts";
import type { Files } from "../../system/files/files.ts";
import { type ParsedAuthorshipLog, parseAuthorshipLog } from "./log-codec.ts";
import { notesRef } from "./notes-ref.ts";
import { withRewrittenNotes } from "./rewritten-notes.ts";

/** Where the first versions of the format kept one blob per commit. */
const legacyRefFolder = "refs/ai/authorship";

/** Reads the notes of commits. Commits without a note are absent. */
export interface NoteSource {
  read(commits: readonly Oid[]): Promise<Map<Oid, Buffer>>;
}

export function openNoteSource(git: Git, reader: ObjectReader, files: Files): NoteSource {
  let legacy: Promise<ReadonlyMap<Oid, Oid>> | undefined;
  return {
    async read(commits) {
      const notes = await withRewrittenNotes({ git, reader }, await readNotes(reader, notesRef, commits));
      legacy ??= mayHaveRefsBelow(git.repository, legacyRefFolder, files)
        ? listLegacyNotes(git)
        : Promise.resolve(new Map());
      const blobs = await legacy;
      if (blobs.size === 0) return notes;
      for (const commit of commits) {
        const blob = notes.has(commit) ? undefined : blobs.get(commit);
        const object = blob === undefined ? undefined : await reader.read(blob);
        if (object?.type === "blob") notes.set(commit, object.content);
      }
      return notes;
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
