import type { Git } from "../../git/git.ts";
import { isNullOid, isOid, type Oid } from "../../git/ids.ts";
import type { ObjectReader } from "../../git/objects/objects.ts";
import { readCommitPatches } from "../../git/objects/patch.ts";
import { listNotes } from "../../git/refs/notes.ts";
import type { Files } from "../../system/files/files.ts";
import type { AuthorshipLog } from "../note/log.ts";
import { notesRef } from "../note/notes-ref.ts";
import { claimCommit, readNotedCommit } from "./commit-claims.ts";
import { buildLog } from "./settled-note.ts";

/** A commit that took the place of another: by amend, rebase or squash. */
export interface Rewrite {
  readonly from: Oid;
  readonly to: Oid;
}

/** Lines of git's `post-rewrite` hook: `<old> <new>[ extra]`. */
export function parseRewrites(text: string): Rewrite[] {
  return text.split("\n").flatMap((line) => {
    const [from = "", to = ""] = line.split(" ");
    return isOid(from) && isOid(to) && from !== to && !isNullOid(from) ? [{ from, to }] : [];
  });
}

/**
 * What the notes of rewritten commits say about the lines that their successors add: line by line through the
 * contents, so that what the rewrite changed is nobody's. Several commits squashed into one all count, the last first.
 */
export async function claimRewrites(
  { git, reader, files }: { readonly git: Git; readonly reader: ObjectReader; readonly files: Files },
  rewrites: readonly Rewrite[],
): Promise<Map<Oid, AuthorshipLog>> {
  const noted = await listNotes(git, notesRef);
  const sources = new Map<Oid, Oid[]>();
  for (const { from, to } of rewrites)
    if (noted.has(from)) sources.set(to, [...(sources.get(to) ?? []), from]);
  const logs = new Map<Oid, AuthorshipLog>();
  for await (const patch of readCommitPatches(git, [...sources.keys()])) {
    const from = sources.get(patch.commit) ?? [];
    const replaced = await Promise.all(from.map((commit) => readNotedCommit({ git, reader }, commit)));
    const found = await claimCommit(reader, patch, { files, pending: new Map(), replaced });
    const log = buildLog({ commit: patch.commit, humanAuthor: "", ...found });
    if (log !== undefined) logs.set(patch.commit, log);
  }
  return logs;
}
