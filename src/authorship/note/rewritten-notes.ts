import { type JsonObject, mergeJson, stringField } from "../../base/json.ts";
import type { Git } from "../../git/git.ts";
import { isOid, type Oid } from "../../git/ids.ts";
import type { CommitPatch } from "../../git/objects/file-patch.ts";
import type { ObjectReader } from "../../git/objects/objects.ts";
import { readCommitPatches } from "../../git/objects/patch.ts";
import { readNotes } from "../../git/refs/notes.ts";
import { carryNotes } from "./carry-notes.ts";
import type { AuthorshipLog } from "./log.ts";
import { encodeAuthorshipLog, entriesOfRuns, looksGlued, parseAuthorshipLog } from "./log-codec.ts";
import { notesRef } from "./notes-ref.ts";

/*
 * With `notes.rewriteRef` git itself copies notes when it rewrites commits, and glues them together where several become
 * one. Their line numbers are those of the commits that they were written for, which each names in `base_commit_sha`.
 */

/** A note that git put together, with what its parts say about the lines of the commit that it is attached to now. */
export interface RewrittenNote {
  readonly commit: Oid;
  readonly how: "copied" | "glued";
  readonly log: AuthorshipLog;
}

interface Candidate {
  readonly commit: Oid;
  readonly how: RewrittenNote["how"];
  /** As they stand in the note: the newest last. */
  readonly parts: readonly AuthorshipLog[];
}

interface ObjectsOfGit {
  readonly git: Git;
  readonly reader: ObjectReader;
}

/** Of these notes those that git copied or glued, read anew: owners follow the lines from the commits that were rewritten. */
export async function readRewrittenNotes(
  objects: ObjectsOfGit,
  notes: ReadonlyMap<Oid, Buffer>,
): Promise<RewrittenNote[]> {
  const candidates = await findCandidates(objects, notes);
  const byCommit = new Map(candidates.map((candidate) => [candidate.commit, candidate]));
  const rewritten: RewrittenNote[] = [];
  for await (const patch of readCommitPatches(objects.git, [...byCommit.keys()])) {
    const candidate = byCommit.get(patch.commit);
    if (candidate === undefined) continue;
    const log = await readParts(objects.reader, candidate, patch);
    rewritten.push({ commit: patch.commit, how: candidate.how, log });
  }
  return rewritten;
}

/** The same notes, with those that git copied or glued replaced by what they say about their commit. */
export async function withRewrittenNotes(
  objects: ObjectsOfGit,
  notes: Map<Oid, Buffer>,
): Promise<Map<Oid, Buffer>> {
  for (const { commit, log } of await readRewrittenNotes(objects, notes))
    notes.set(commit, Buffer.from(encodeAuthorshipLog(log)));
  return notes;
}

/** False where git may have made a note: what it says about its commit is then found in other notes and commits too. */
export function isPlainNote(commit: Oid, bytes: Buffer): boolean {
  return !looksGlued(bytes) && otherBase(commit, bytes) === undefined;
}

/** The commit that a note was written for, where that is another one. */
function otherBase(commit: Oid, bytes: Buffer): Oid | undefined {
  if (!bytes.includes(baseField) || bytes.includes(`${baseField}"${commit}"`)) return undefined;
  const base = /"base_commit_sha": "([0-9a-f]+)"/.exec(bytes.toString("latin1"))?.[1] ?? "";
  return isOid(base) ? base : undefined;
}

const baseField = '"base_commit_sha": ';

async function findCandidates(
  { reader }: ObjectsOfGit,
  notes: ReadonlyMap<Oid, Buffer>,
): Promise<Candidate[]> {
  const candidates: Candidate[] = [];
  const copies: { readonly commit: Oid; readonly base: Oid; readonly bytes: Buffer }[] = [];
  for (const [commit, bytes] of notes) {
    if (looksGlued(bytes)) {
      const { parts } = parseAuthorshipLog(bytes);
      if (parts !== undefined) candidates.push({ commit, how: "glued", parts });
    } else {
      const base = otherBase(commit, bytes);
      if (base !== undefined) copies.push({ commit, base, bytes });
    }
  }
  // old writers named another commit for reasons of their own: a copy is one only if its original says the same
  const originals = await readNotes(
    reader,
    notesRef,
    copies.map(({ base }) => base),
  );
  for (const { commit, base, bytes } of copies) {
    const { log, rewritable } = parseAuthorshipLog(bytes);
    if (rewritable && originals.get(base)?.equals(bytes))
      candidates.push({ commit, how: "copied", parts: [log] });
  }
  return candidates;
}

async function readParts(
  reader: ObjectReader,
  { parts }: Candidate,
  patch: CommitPatch,
): Promise<AuthorshipLog> {
  const sources = parts.flatMap((log) => {
    const commit = stringField(log.metadata, "base_commit_sha") ?? "";
    return isOid(commit) ? [{ commit, log }] : [];
  });
  // of commits that became one, the newest knows best
  const { files } = await carryNotes(reader, patch, sources.reverse());
  const metadata = parts.reduce<JsonObject>((sum, part) => mergeJson(sum, part.metadata), {});
  return {
    files: files.map(({ path, runs }) => ({ path, entries: entriesOfRuns(runs) })),
    metadata: { ...metadata, base_commit_sha: patch.commit },
  };
}
