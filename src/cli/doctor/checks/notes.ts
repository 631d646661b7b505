import { encodeAuthorshipLog, parseAuthorshipLog } from "../../../authorship/note/log-codec.ts";
import { LookedAt } from "../../../authorship/note/looked-at.ts";
import { notesRef } from "../../../authorship/note/notes-ref.ts";
import {
  isPlainNote,
  type RewrittenNote,
  readRewrittenNotes,
} from "../../../authorship/note/rewritten-notes.ts";
import type { Git } from "../../../git/git.ts";
import type { Oid } from "../../../git/ids.ts";
import { missingObjects } from "../../../git/objects/missing-objects.ts";
import { type ObjectReader, openObjectReader } from "../../../git/objects/objects.ts";
import { listNotes, type NoteEdit, updateNotes } from "../../../git/refs/notes.ts";
import { readNotesRewrite } from "../../../git/refs/notes-rewrite.ts";
import { startProgress } from "../../output/progress.ts";
import type { DoctorCheck, DoctorContext, Finding } from "./check.ts";

const noteBatch = 200;

/** Notes that cannot be read in part or at all, and those that git copied or glued together itself. */
export const notesCheck: DoctorCheck = {
  name: "notes",
  label: "note",
  async find(context) {
    const findings = await findSettings(context);
    const { git, cli } = context;
    const lookedAt = new LookedAt(git.repository, cli.files, { name: "notes", holdsFor: "" });
    const all = [...(await listNotes(git, notesRef))];
    const rest = all.filter(([commit, blob]) => !lookedAt.has(`${commit} ${blob}`));
    const unread = new Set(rest);
    findings.push(
      ...(await findMissing(
        git,
        all.filter((note) => !unread.has(note)),
      )),
    );
    const bar = startProgress({
      label: "reading notes",
      unit: "items",
      total: rest.length,
      stream: cli.process.stderr,
      clock: cli.clock,
    });
    let done = 0;
    for await (const batch of readBatches(git, rest)) {
      findings.push(...describeBatch(batch, lookedAt));
      done += noteBatch;
      bar.update(done);
    }
    bar.finish();
    lookedAt.save();
    return findings;
  },
  async repair({ git, cli }) {
    const edits = new Map<Oid, NoteEdit>();
    for await (const { notes, rewritten } of readBatches(git, [...(await listNotes(git, notesRef))])) {
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

function describeBatch({ blobs, notes, rewritten, missing }: Batch, lookedAt: LookedAt): Finding[] {
  const findings = missing.map(describeMissing);
  for (const note of rewritten) findings.push({ ...describeRewritten(note), repairable: true });
  const known = new Set(rewritten.map(({ commit }) => commit));
  for (const [commit, bytes] of notes) {
    if (known.has(commit)) continue;
    const { problems } = parseAuthorshipLog(bytes);
    for (const { message } of problems) findings.push(finding(commit, message, restIsRead(commit)));
    if (problems.length === 0 && isPlainNote(commit, bytes)) lookedAt.add(`${commit} ${blobs.get(commit)}`);
  }
  return findings;
}

/** Of notes that were read before, those that are gone since. */
async function findMissing(git: Git, notes: readonly ListedNote[]): Promise<Finding[]> {
  const missing = new Set(
    await missingObjects(
      git,
      notes.map(([, blob]) => blob),
    ),
  );
  return notes.filter(([, blob]) => missing.has(blob)).map(([commit]) => describeMissing(commit));
}

function describeMissing(commit: Oid): Finding {
  return finding(commit, "its note is not on this machine", "run `keyframe fetch`");
}

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

type ListedNote = readonly [commit: Oid, blob: Oid];

interface Batch {
  readonly blobs: ReadonlyMap<Oid, Oid>;
  readonly notes: ReadonlyMap<Oid, Buffer>;
  readonly rewritten: readonly RewrittenNote[];
  /** Commits whose note is a blob that is not here. */
  readonly missing: readonly Oid[];
}

async function* readBatches(git: Git, all: readonly ListedNote[]): AsyncGenerator<Batch> {
  const reader = openObjectReader(git);
  try {
    for (let from = 0; from < all.length; from += noteBatch) {
      const part = all.slice(from, from + noteBatch);
      const { notes, missing } = await readBlobs(reader, part);
      yield {
        blobs: new Map(part),
        notes,
        missing,
        rewritten: await readRewrittenNotes({ git, reader }, notes),
      };
    }
  } finally {
    await reader.close();
  }
}

async function readBlobs(
  reader: ObjectReader,
  list: readonly ListedNote[],
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
