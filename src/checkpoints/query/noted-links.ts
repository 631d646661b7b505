import { parseAuthorshipLog } from "../../authorship/note/log-codec.ts";
import { notesRef } from "../../authorship/note/notes-ref.ts";
import type { Git } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";
import { openObjectReader } from "../../git/objects/objects.ts";
import { readNotes } from "../../git/refs/notes.ts";
import type { CheckpointId } from "../record/ids.ts";
import { checkpointsOfNote, linkedCommitsOf } from "../record/note-links.ts";

/** Links that notes keep: one look at the history of the notes says which do, whatever their number. */
export async function readNotedLinks(git: Git): Promise<ReadonlyMap<Oid, readonly CheckpointId[]>> {
  const args = ["log", "--fixed-strings", "--grep=Entire-Checkpoint:", "--format=%B", notesRef, "--"];
  const messages = await git.run(args, { okCodes: [0, 128] });
  const commits = linkedCommitsOf(messages.stdout.toString("utf8"));
  const links = new Map<Oid, readonly CheckpointId[]>();
  if (commits.length === 0) return links;
  const reader = openObjectReader(git);
  try {
    for (const [commit, note] of await readNotes(reader, notesRef, commits))
      links.set(commit, checkpointsOfNote(parseAuthorshipLog(note).log.metadata));
  } finally {
    await reader.close();
  }
  return links;
}
