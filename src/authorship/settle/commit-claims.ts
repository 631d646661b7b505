import type { JsonObject } from "../../base/json.ts";
import type { Git } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";
import type { CommitPatch, FilePatch } from "../../git/objects/file-patch.ts";
import type { ObjectReader } from "../../git/objects/objects.ts";
import { readNotes } from "../../git/refs/notes.ts";
import type { Files } from "../../system/files/files.ts";
import { type AuthorshipLog, emptyAuthorshipLog, normalisePath, ownersByPath } from "../note/log.ts";
import { parseAuthorshipLog } from "../note/log-codec.ts";
import { notesRef } from "../note/notes-ref.ts";
import { withRewrittenNotes } from "../note/rewritten-notes.ts";
import { addedRanges } from "../rules/added-lines.ts";
import { clipRuns } from "../rules/owner-runs.ts";
import type { OwnedContent } from "../rules/ownership.ts";
import { ownedByRuns, ownersOfAddedLines } from "./owners-of-commit.ts";
import { type PendingPaths, readStates } from "./pending-paths.ts";
import type { FileClaims } from "./settled-note.ts";

/** A commit whose note tells owners of the lines of another one: what it was amended or rewritten from. */
export interface NotedCommit {
  readonly commit: Oid;
  readonly log: AuthorshipLog;
}

export async function readNotedCommit(
  { git, reader }: { readonly git: Git; readonly reader: ObjectReader },
  commit: Oid,
): Promise<NotedCommit> {
  const notes = await withRewrittenNotes({ git, reader }, await readNotes(reader, notesRef, [commit]));
  const note = notes.get(commit);
  return { commit, log: note === undefined ? emptyAuthorshipLog : parseAuthorshipLog(note).log };
}

export interface ClaimSources {
  readonly files: Files;
  readonly pending: PendingPaths;
  /** Oldest first. */
  readonly replaced: readonly NotedCommit[];
}

export interface CommitClaims {
  readonly claims: readonly FileClaims[];
  readonly inherited: readonly JsonObject[];
}

/** Who owns the lines that a commit adds, from what was pending and from the notes of commits it replaces. */
export async function claimCommit(
  reader: ObjectReader,
  patch: CommitPatch,
  sources: ClaimSources,
): Promise<CommitClaims> {
  const claims = await Promise.all(
    patch.files.map((file) => claimFile(reader, { commit: patch.commit, file }, sources)),
  );
  return {
    claims: claims.filter((claim) => claim !== undefined),
    inherited: sources.replaced.map(({ log }) => log.metadata),
  };
}

async function claimFile(
  reader: ObjectReader,
  { commit, file }: { readonly commit: Oid; readonly file: FilePatch },
  { files, pending, replaced }: ClaimSources,
): Promise<FileClaims | undefined> {
  const path = file.newPath;
  if (path === undefined || file.binary || file.hunks.every((hunk) => hunk.newCount === 0)) return undefined;
  const known = pending.get(path) ?? (file.oldPath === undefined ? undefined : pending.get(file.oldPath));
  const states = known === undefined ? [] : [...readStates(files, known)];
  const noted = await replacedContents(reader, file, replaced);
  if (states.length === 0 && noted.length === 0) return undefined;
  const blob = await reader.read(`${commit}:${path}`);
  if (blob?.type !== "blob") return undefined;
  const runs = ownersOfAddedLines(blob.content, file.hunks, {
    states,
    ...(noted[0] === undefined ? {} : { replaced: noted[0] }),
  });
  const more = noted
    .slice(1)
    .map((content) => ownersOfAddedLines(blob.content, file.hunks, { states: [], replaced: content }));
  const all = [runs, ...more].flat();
  const clipped = clipRuns(
    all.sort((a, b) => a.first - b.first),
    addedRanges(file.hunks),
  );
  return clipped.length === 0
    ? undefined
    : { path, runs: clipped, ...(known === undefined ? {} : { head: known.head }) };
}

/** The file as each replaced commit had it, with the owners that its note gives; the last commit first. */
async function replacedContents(
  reader: ObjectReader,
  file: FilePatch,
  replaced: readonly NotedCommit[],
): Promise<OwnedContent[]> {
  const contents: OwnedContent[] = [];
  for (const { commit, log } of [...replaced].reverse()) {
    const owners = ownersByPath(log);
    for (const path of new Set([file.newPath, file.oldPath])) {
      const runs = path === undefined ? undefined : owners.get(normalisePath(path))?.runs;
      if (path === undefined || runs === undefined) continue;
      const blob = await reader.read(`${commit}:${path}`);
      if (blob?.type === "blob") contents.push(ownedByRuns(blob.content, runs));
      break;
    }
  }
  return contents;
}
