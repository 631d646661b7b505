import { parseAuthorshipLog } from "../../authorship/note/log-codec.ts";
import { notesRef } from "../../authorship/note/notes-ref.ts";
import { openObjectReader } from "../../git/objects/objects.ts";
import { listNotes } from "../../git/refs/notes.ts";
import type { DoctorCheck, Finding } from "./check.ts";

const noteBatch = 200;

/** Notes that cannot be read in part or at all. */
export const notesCheck: DoctorCheck = {
  name: "notes",
  label: "note",
  async find({ git }) {
    const findings: Finding[] = [];
    const found = (commit: string, what: string, repair: string) =>
      findings.push({ kind: "note", subject: commit, what, repair, repairable: false, damage: false });
    const reader = openObjectReader(git);
    try {
      const notes = [...(await listNotes(git, notesRef))];
      for (let from = 0; from < notes.length; from += noteBatch) {
        await Promise.all(
          notes.slice(from, from + noteBatch).map(async ([commit, blob]) => {
            const note = await reader.read(blob);
            if (note === undefined)
              return void found(commit, "its note is not on this machine", "run `keyframe fetch`");
            for (const { message } of parseAuthorshipLog(note.content).problems)
              found(
                commit,
                message,
                `the rest of it is read; \`git notes --ref=${notesRef} show ${commit}\` shows it as it is`,
              );
          }),
        );
      }
    } finally {
      await reader.close();
    }
    return findings;
  },
};
