import type { Git } from "../git/git.ts";
import type { Oid } from "../git/ids.ts";
import { listNotes, readNotes } from "../git/notes.ts";
import type { ObjectReader } from "../git/objects.ts";
import { type ParsedAuthorshipLog, parseAuthorshipLog } from "./log-codec.ts";

export const authorshipRef = "refs/notes/ai";
/** Where the first versions of the format kept one blob per commit. */
const legacyRefFolder = "refs/ai/authorship";

/** Asking for single notes is faster than listing all of them up to about this many commits. */
const maxSingleReads = 256;

/** Reads the notes of commits: a few by name, many after one listing. Commits without a note are absent. */
export interface NoteSource {
  read(commits: readonly Oid[]): Promise<Map<Oid, Buffer>>;
}

export function openNoteSource(git: Git, reader: ObjectReader): NoteSource {
  let listings: Promise<Listings> | undefined;

  async function readBlobs(commits: readonly Oid[], nameOf: (commit: Oid) => string | undefined) {
    const notes = new Map<Oid, Buffer>();
    await Promise.all(
      commits.map(async (commit) => {
        const name = nameOf(commit);
        const object = name === undefined ? undefined : await reader.read(name);
        if (object?.type === "blob") notes.set(commit, object.content);
      }),
    );
    return notes;
  }

  return {
    async read(commits) {
      if (commits.length <= maxSingleReads && listings === undefined) {
        const [notes, legacy] = await Promise.all([
          readNotes(reader, authorshipRef, commits),
          readBlobs(commits, (commit) => `${legacyRefFolder}/${commit}`),
        ]);
        return new Map([...legacy, ...notes]);
      }
      listings ??= Promise.all([listNotes(git, authorshipRef), listLegacyNotes(git)]);
      const [listed, legacy] = await listings;
      return readBlobs(commits, (commit) => listed.get(commit) ?? legacy.get(commit));
    },
  };
}

type Listings = readonly [ReadonlyMap<Oid, Oid>, ReadonlyMap<Oid, Oid>];

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
