import { type JsonObject, mergeJson, stringField } from "../../base/json.ts";
import type { Git } from "../../git/git.ts";
import { isOid, type Oid } from "../../git/ids.ts";
import type { ObjectReader } from "../../git/objects/objects.ts";
import { type FilePatch, readCommitPatches } from "../../git/objects/patch.ts";
import { readNotes } from "../../git/refs/notes.ts";
import { addedRanges } from "../rules/added-lines.ts";
import { type CarrySource, carry } from "../rules/carry.ts";
import { type AuthorshipFile, type AuthorshipLog, normalisePath, ownersByPath } from "./log.ts";
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
  for await (const { commit, files } of readCommitPatches(objects.git, [...byCommit.keys()])) {
    const candidate = byCommit.get(commit);
    if (candidate === undefined) continue;
    const log = await readParts(objects.reader, candidate, files);
    rewritten.push({ commit, how: candidate.how, log });
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
    } else if (!bytes.includes(`"base_commit_sha": "${commit}"`)) {
      const base = /"base_commit_sha": "([0-9a-f]+)"/.exec(bytes.toString("latin1"))?.[1] ?? "";
      if (isOid(base)) copies.push({ commit, base, bytes });
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
  { commit, parts }: Candidate,
  files: readonly FilePatch[],
): Promise<AuthorshipLog> {
  const carried = await Promise.all(files.map((file) => carryFile(reader, { commit, parts, file })));
  const metadata = parts.reduce<JsonObject>((sum, part) => mergeJson(sum, part.metadata), {});
  return {
    files: carried.filter((file) => file !== undefined),
    metadata: { ...metadata, base_commit_sha: commit },
  };
}

async function carryFile(
  reader: ObjectReader,
  {
    commit,
    parts,
    file,
  }: { readonly commit: Oid; readonly parts: readonly AuthorshipLog[]; readonly file: FilePatch },
): Promise<AuthorshipFile | undefined> {
  const { newPath, oldPath } = file;
  const open = addedRanges(file.hunks);
  if (newPath === undefined || file.binary || open.length === 0) return undefined;
  const sources: CarrySource[] = [];
  // of commits that became one, the newest knows best
  for (const part of [...parts].reverse()) {
    const base = stringField(part.metadata, "base_commit_sha") ?? "";
    const owners = ownersByPath(part);
    for (const path of new Set([newPath, oldPath])) {
      const runs = path === undefined ? undefined : owners.get(normalisePath(path))?.runs;
      const blob = runs === undefined || !isOid(base) ? undefined : await reader.read(`${base}:${path}`);
      if (runs === undefined || blob?.type !== "blob") continue;
      sources.push({ content: blob.content, runs, isComplete: false, pairing: "told" });
      break;
    }
  }
  const blob = sources.length === 0 ? undefined : await reader.read(`${commit}:${newPath}`);
  if (blob?.type !== "blob") return undefined;
  const { runs } = carry(sources, { content: blob.content, open });
  return runs.length === 0 ? undefined : { path: newPath, entries: entriesOfRuns(runs) };
}
