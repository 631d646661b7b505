import type { Git } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";
import type { ObjectReader } from "../../git/objects/objects.ts";
import { type NoteEdit, readNotes, updateNotes } from "../../git/refs/notes.ts";
import type { Clock } from "../../system/clock.ts";
import type { AuthorshipLog } from "../note/log.ts";
import { encodeAuthorshipLog } from "../note/log-codec.ts";
import { notesRef } from "../note/notes-ref.ts";
import { readRewrittenNotes } from "../note/rewritten-notes.ts";
import { mergeIntoNote } from "./settled-note.ts";

export interface NoteBatch {
  readonly logs: ReadonlyMap<Oid, AuthorshipLog>;
  /** Which claim stays where the note already says something else about a line. */
  readonly precedence: "ours" | "existing";
}

/** Writes the notes of several commits as one notes commit; returns what could not be written. */
export async function writeNoteBatch(
  {
    git,
    reader,
    deps,
  }: { readonly git: Git; readonly reader: ObjectReader; readonly deps: { readonly clock: Clock } },
  { logs, precedence }: NoteBatch,
): Promise<string[]> {
  if (logs.size === 0) return [];
  const problems: string[] = [];
  const edits = new Map<Oid, NoteEdit>();
  const current = await readNotes(reader, notesRef, logs.keys());
  const rewritten = new Map<Oid, { readonly bytes: Buffer | undefined; readonly text: Buffer }>(
    (await readRewrittenNotes({ git, reader }, current)).map((note) => [
      note.commit,
      { bytes: current.get(note.commit), text: Buffer.from(encodeAuthorshipLog(note.log)) },
    ]),
  );
  for (const [commit, log] of logs) {
    edits.set(commit, (found) => {
      const known = rewritten.get(commit);
      // what git copied or glued names lines of other commits until it is read anew
      const isKnown = known?.bytes !== undefined && found?.equals(known.bytes) === true;
      const merged = mergeIntoNote(isKnown ? known.text : found, log, precedence);
      if ("text" in merged) return merged.text;
      problems.push(`the note of ${commit.slice(0, 12)} was left as it is: ${merged.problem}`);
      return undefined;
    });
  }
  const [first] = logs.keys();
  const what = logs.size === 1 ? first?.slice(0, 12) : `${logs.size} commits`;
  await updateNotes(git, reader, {
    ref: notesRef,
    edits,
    message: `Note who wrote the lines of ${what}`,
    nowSeconds: Math.floor(deps.clock.nowMs() / 1000),
  });
  return problems;
}
