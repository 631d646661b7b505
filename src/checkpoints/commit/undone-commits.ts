import { addedRanges } from "../../authorship/rules/added-lines.ts";
import { createLineInterner } from "../../authorship/rules/content-lines.ts";
import { isSolid } from "../../authorship/rules/tokens.ts";
import { listUndone, readResets } from "../../authorship/settle/head-reflog.ts";
import type { Git } from "../../git/git.ts";
import { isNullOid, type Oid, type RepoPath } from "../../git/ids.ts";
import type { FilePatch } from "../../git/objects/file-patch.ts";
import { type ObjectReader, openObjectReader } from "../../git/objects/objects.ts";
import { readCommitPatches, readIndexPatch } from "../../git/objects/patch.ts";
import { listStagedChanges } from "../../git/worktree/staged-changes.ts";
import type { CaptureDeps } from "../capture/transcript.ts";
import { readLinkedCommits } from "../query/linked-commits.ts";
import type { CheckpointId } from "../record/ids.ts";

/**
 * The checkpoints of commits that a reset undid and whose work the index holds again: of those that add a line which
 * this commit adds to the same file, or that remove a file which it removes. Oldest first. `git` is bound to the
 * commit's index.
 */
export async function findUndoneCheckpoints(
  git: Git,
  { files }: Pick<CaptureDeps, "files">,
  head: Oid,
): Promise<CheckpointId[]> {
  const resets = readResets(git.repository, files);
  const undone = resets.length === 0 ? [] : await listUndone(git, resets, head);
  if (undone.length === 0) return [];
  const linked = await readLinkedCommits(git, { revisions: ["--no-walk=unsorted", ...undone] });
  const byCommit = new Map(linked.map(({ oid, checkpoints }) => [oid, checkpoints]));
  const commits = undone.filter((commit) => byCommit.has(commit));
  if (commits.length === 0) return [];
  const reader = openObjectReader(git);
  try {
    const staged = await readStaged(git, reader, head);
    const held = new Set<CheckpointId>();
    for await (const { commit, files: patches } of readCommitPatches(git, commits)) {
      if (await holdsWork(reader, { commit, patches, staged }))
        for (const id of byCommit.get(commit) ?? []) held.add(id);
    }
    return [...held];
  } finally {
    await reader.close();
  }
}

interface Staged {
  readonly added: ReadonlyMap<RepoPath, ReadonlySet<string>>;
  readonly removed: ReadonlySet<RepoPath>;
}

async function readStaged(git: Git, reader: ObjectReader, head: Oid): Promise<Staged> {
  const blobs = new Map(
    (await listStagedChanges(git, head)).map((change) => [change.newPath, change.newOid]),
  );
  const added = new Map<RepoPath, ReadonlySet<string>>();
  const removed = new Set<RepoPath>();
  for (const patch of await readIndexPatch(git, head, [])) {
    if (patch.newPath === undefined) {
      if (patch.oldPath !== undefined) removed.add(patch.oldPath);
      continue;
    }
    const oid = blobs.get(patch.newPath);
    if (oid !== undefined && !isNullOid(oid)) added.set(patch.newPath, await addedLines(reader, oid, patch));
  }
  return { added, removed };
}

async function holdsWork(
  reader: ObjectReader,
  {
    commit,
    patches,
    staged,
  }: { readonly commit: Oid; readonly patches: readonly FilePatch[]; readonly staged: Staged },
): Promise<boolean> {
  for (const patch of patches) {
    const { oldPath, newPath } = patch;
    if (newPath === undefined && oldPath !== undefined && staged.removed.has(oldPath)) return true;
    const lines = newPath === undefined ? undefined : staged.added.get(newPath);
    if (newPath === undefined || lines === undefined) continue;
    for (const line of await addedLines(reader, `${commit}:${newPath}`, patch))
      if (lines.has(line)) return true;
  }
  return false;
}

/** Lines with a word that a patch adds; of a binary file, its digest stands for them. */
async function addedLines(reader: ObjectReader, name: string, patch: FilePatch): Promise<Set<string>> {
  const blob = await reader.read(name);
  if (blob?.type !== "blob") return new Set();
  if (patch.binary) return new Set([`\0${blob.oid}`]);
  const content = createLineInterner().intern(blob.content);
  const lines = new Set<string>();
  for (const { first, last } of addedRanges(patch.hunks)) {
    for (let line = first; line <= Math.min(last, content.count); line += 1) {
      const bytes = content.line(line - 1);
      if (isSolid(bytes)) lines.add(bytes.toString("latin1").trimEnd());
    }
  }
  return lines;
}
