import { carryNotes, type NotedSource } from "../../authorship/note/carry-notes.ts";
import type { AuthorshipLog } from "../../authorship/note/log.ts";
import { encodeAuthorshipLog, parseAuthorshipLog } from "../../authorship/note/log-codec.ts";
import { notesRef } from "../../authorship/note/notes-ref.ts";
import { withRewrittenNotes } from "../../authorship/note/rewritten-notes.ts";
import { countLines } from "../../authorship/rules/owner-runs.ts";
import type { CheckpointId } from "../../checkpoints/record/ids.ts";
import { namedCheckpoints, trailingCheckpoints } from "../../checkpoints/record/trailers.ts";
import type { Git } from "../../git/git.ts";
import type { Oid, RepoPath } from "../../git/ids.ts";
import type { CommitPatch } from "../../git/objects/file-patch.ts";
import type { ObjectReader } from "../../git/objects/objects.ts";
import { readCommitPatches } from "../../git/objects/patch.ts";
import { readNotes } from "../../git/refs/notes.ts";
import type { ChangeEvidence } from "./find-changes.ts";
import {
  isAncestor,
  listChangeCommits,
  type MergedCommit,
  readChangePatchId,
  readPatchIds,
} from "./merged-commits.ts";
import { mergedLog } from "./merged-log.ts";

/** A change, its last commit, and how a commit is known to come from it. */
export interface ChangeHead {
  readonly change: number;
  readonly head: Oid;
  readonly evidence: ChangeEvidence;
}

/** What becomes of one commit that arrived. */
export interface MergedOutcome {
  readonly commit: Oid;
  /**
   * `squash`: made of all commits of a change; `rebase`: of one of them; `own`: the commit is one of the change's, or
   * a merge that keeps them; `noted`: it has a note; `none`: no change is known for it, or its commits have no notes.
   */
  readonly kind: "squash" | "rebase" | "own" | "noted" | "none";
  readonly change?: number;
  readonly evidence?: ChangeEvidence;
  /** Lines that have an owner now. */
  readonly lines: number;
  readonly checkpoints: readonly CheckpointId[];
  /** The note to write. */
  readonly log?: AuthorshipLog;
}

interface Objects {
  readonly git: Git;
  readonly reader: ObjectReader;
}

/**
 * What the notes of a change's commits say about a commit that a service made of them: line by line through the
 * contents, so that what only the service's merge changed is nobody's. Reads only.
 */
export async function planMerged(
  objects: Objects,
  commit: MergedCommit,
  { told, candidates }: { readonly told: ChangeHead | undefined; readonly candidates: readonly ChangeHead[] },
): Promise<MergedOutcome> {
  const nothing = { commit: commit.oid, lines: 0, checkpoints: [] } as const;
  const existing = (await readNotes(objects.reader, notesRef, [commit.oid])).get(commit.oid);
  if (existing !== undefined) return { ...nothing, kind: "noted" };
  if (commit.parents.length > 1) return { ...nothing, kind: "own", ...(told && { change: told.change }) };
  const found = told ?? (await findSameChange(objects.git, commit, candidates));
  if (found === undefined) return { ...nothing, kind: "none" };
  const { change, evidence, head } = found;
  if (await isAncestor(objects.git, commit.oid, head)) return { ...nothing, kind: "own", change, evidence };
  const all = await listChangeCommits(objects.git, { head, base: commit.parents[0] });
  const pair = await findPair(objects.git, commit, all);
  const from = pair === undefined ? all : [pair];
  const checkpoints = droppedCheckpoints(commit, from);
  const sources = await readSources(objects, from);
  for await (const patch of readCommitPatches(objects.git, [commit.oid])) {
    const { files, used } = await carryNotes(objects.reader, patch, sources);
    const lines = files.reduce((sum, { runs }) => sum + countLines(runs), 0);
    const isProven =
      lines > 0 || evidence === "api" || (await findSameChange(objects.git, commit, [found])) !== undefined;
    // a number in a message can be anything: without a line or a difference in common it links nothing
    if (!isProven || (lines === 0 && checkpoints.length === 0))
      return { ...nothing, kind: "none", change, evidence };
    const log = mergedLog({ commit: commit.oid, files, used: [...used], checkpoints, change, evidence });
    const kind = pair === undefined ? "squash" : "rebase";
    return { commit: commit.oid, kind, change, evidence, lines, checkpoints, log };
  }
  return { ...nothing, kind: "none" };
}

/** The text of the note, and how readers find its links without looking at every note. */
export function noteOf({ log }: MergedOutcome): string | undefined {
  return log === undefined ? undefined : encodeAuthorshipLog(log);
}

/**
 * Nobody names the change: one whose whole difference is the commit's, byte for byte, is it, and one that has the same
 * commit: author, date, subject and difference.
 */
async function findSameChange(
  git: Git,
  commit: MergedCommit,
  candidates: readonly ChangeHead[],
): Promise<ChangeHead | undefined> {
  const [parent] = commit.parents;
  if (parent === undefined || candidates.length === 0) return undefined;
  const own = await readChangePatchId(git, parent, commit.oid);
  if (own === undefined) return undefined;
  for (const candidate of candidates) {
    const fork = await git.run(["merge-base", parent, candidate.head], { okCodes: [0, 1, 128] });
    const base = fork.stdout.toString("latin1").trim() as Oid;
    if (fork.code !== 0 || base === candidate.head) continue;
    if ((await readChangePatchId(git, base, candidate.head)) === own) return candidate;
    const all = await listChangeCommits(git, { head: candidate.head, base: parent });
    const twin = all.find(({ identity, parents }) => identity === commit.identity && parents.length === 1);
    if (twin?.parents[0] !== undefined && (await readChangePatchId(git, twin.parents[0], twin.oid)) === own)
      return candidate;
  }
  return undefined;
}

/** The one commit of the change that this one is again: the same difference, or the same author, date and subject. */
async function findPair(
  git: Git,
  commit: MergedCommit,
  all: readonly MergedCommit[],
): Promise<MergedCommit | undefined> {
  if (all.length === 1) return all[0];
  const same = all.filter(({ identity }) => identity === commit.identity);
  if (same.length === 1) return same[0];
  const single = all.filter(({ parents }) => parents.length === 1).map(({ oid }) => oid);
  const ids = await readPatchIds(git, [commit.oid, ...single]);
  const own = ids.get(commit.oid);
  const equal = all.filter(({ oid }) => own !== undefined && ids.get(oid) === own);
  return equal.length === 1 ? equal[0] : undefined;
}

/** Checkpoints that the change's commits link, and the message of the commit that was made of them does not. */
function droppedCheckpoints(commit: MergedCommit, from: readonly MergedCommit[]): CheckpointId[] {
  const named = new Set(namedCheckpoints(commit.message));
  const linked = [...from].reverse().flatMap(({ message }) => trailingCheckpoints(message));
  return [...new Set(linked)].filter((id) => !named.has(id));
}

async function readSources(objects: Objects, commits: readonly MergedCommit[]): Promise<NotedSource[]> {
  const oids = commits.map(({ oid }) => oid);
  const notes = await withRewrittenNotes(objects, await readNotes(objects.reader, notesRef, oids));
  const sources: NotedSource[] = [];
  for await (const patch of readCommitPatches(objects.git, oids)) {
    const note = notes.get(patch.commit);
    const log = note === undefined ? { files: [], metadata: {} } : parseAuthorshipLog(note).log;
    sources.push({ commit: patch.commit, log, renames: renamesOf(patch) });
  }
  return sources;
}

function renamesOf({ files }: CommitPatch): ReadonlyMap<RepoPath, RepoPath> {
  return new Map(
    files.flatMap(({ oldPath, newPath }) =>
      oldPath !== undefined && newPath !== undefined && oldPath !== newPath
        ? [[newPath, oldPath] as const]
        : [],
    ),
  );
}
