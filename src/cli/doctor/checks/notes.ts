import { encodeAuthorshipLog, parseAuthorshipLog } from "../../../authorship/note/log-codec.ts";
import { notesRef } from "../../../authorship/note/notes-ref.ts";
import { type RewrittenNote, readRewrittenNotes } from "../../../authorship/note/rewritten-notes.ts";
import type { Git } from "../../../git/git.ts";
import type { Oid } from "../../../git/ids.ts";
import { type ObjectReader, openObjectReader } from "../../../git/objects/objects.ts";
import { listNotes, type NoteEdit, updateNotes } from "../../../git/refs/notes.ts";
import { readNotesRewrite } from "../../../git/refs/notes-rewrite.ts";
import type { DoctorCheck, DoctorContext, Finding } from "./check.ts";

const noteBatch = 200;

/** Notes that cannot be read in part or at all, and those that git copied or glued together itself. */
export const notesCheck: DoctorCheck = {
  name: "notes",
  label: "note",
  async find(context) {
    const findings = await findSettings(context);
    for await (const { notes, rewritten, missing } of readBatches(context.git)) {
      for (const commit of missing)
        findings.push(finding(commit, "its note is not on this machine", "run `keyframe fetch`"));
      for (const note of rewritten) findings.push({ ...describeRewritten(note), repairable: true });
      const known = new Set(rewritten.map(({ commit }) => commit));
      for (const [commit, bytes] of notes) {
        if (known.has(commit)) continue;
        for (const { message } of parseAuthorshipLog(bytes).problems)
          findings.push(finding(commit, message, restIsRead(commit)));
      }
    }
    return findings;
  },
  async repair({ git, cli }) {
    const edits = new Map<Oid, NoteEdit>();
    for await (const { notes, rewritten } of readBatches(git)) {
      for (const { commit, log } of rewritten) {
        const was = notes.get(commit);
        edits.set(commit, (current) =>
          was !== undefined && current?.equals(was) ? encodeAuthorshipLog(log) : undefined,
        );
      }
    }
    if (edits.size === 0) return;
    const reader = openObjectReader(git);
    try {
      await updateNotes(git, reader, {
        ref: notesRef,
        edits,
        message: `Read anew what git made of the notes of ${edits.size} rewritten commits`,
        nowSeconds: Math.floor(cli.clock.nowMs() / 1000),
      });
    } finally {
      await reader.close();
    }
  },
};

/** A setting that lets git glue notes together does so with every rebase: it is told before it has happened, too. */
async function findSettings({ git, cli }: DoctorContext): Promise<Finding[]> {
  const rewrite = await readNotesRewrite(git, notesRef, cli.env);
  if (rewrite === undefined || rewrite.mode === "ignore" || rewrite.mode === "overwrite") return [];
  return [
    finding(
      rewrite.setting,
      `git glues authorship notes together when it rewrites commits (notes.rewriteMode is ${rewrite.mode})`,
      "Keyframe carries them by itself: run `git config notes.rewriteMode ignore`",
    ),
  ];
}

interface Batch {
  readonly notes: ReadonlyMap<Oid, Buffer>;
  readonly rewritten: readonly RewrittenNote[];
  /** Commits whose note is a blob that is not here. */
  readonly missing: readonly Oid[];
}

async function* readBatches(git: Git): AsyncGenerator<Batch> {
  const reader = openObjectReader(git);
  try {
    const all = [...(await listNotes(git, notesRef))];
    for (let from = 0; from < all.length; from += noteBatch) {
      const part = all.slice(from, from + noteBatch);
      const { notes, missing } = await readBlobs(reader, part);
      yield { notes, missing, rewritten: await readRewrittenNotes({ git, reader }, notes) };
    }
  } finally {
    await reader.close();
  }
}

async function readBlobs(
  reader: ObjectReader,
  list: readonly (readonly [Oid, Oid])[],
): Promise<{ notes: Map<Oid, Buffer>; missing: Oid[] }> {
  const notes = new Map<Oid, Buffer>();
  const missing: Oid[] = [];
  await Promise.all(
    list.map(async ([commit, blob]) => {
      const note = await reader.read(blob);
      if (note === undefined) missing.push(commit);
      else notes.set(commit, note.content);
    }),
  );
  return { notes, missing };
}

function describeRewritten({ commit, how }: RewrittenNote): Finding {
  const did =
    how === "glued"
      ? "glued it together from the notes of several commits"
      : "copied it from another commit, whose lines it names";
  return finding(
    commit,
    `git ${did} (notes.rewriteRef)`,
    "`keyframe doctor --repair` writes what it says about this commit",
  );
}

function finding(subject: string, what: string, repair: string): Finding {
  return { kind: "note", subject, what, repair, repairable: false, damage: false };
}

function restIsRead(commit: string): string {
  return `the rest of it is read; \`git notes --ref=${notesRef} show ${commit}\` shows it as it is`;
}
