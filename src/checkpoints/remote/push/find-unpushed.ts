import { notesRef } from "../../../authorship/note/notes-ref.ts";
import type { Git } from "../../../git/git.ts";
import { isOid, type Oid } from "../../../git/ids.ts";
import type { Remote } from "../../../git/remote/remote.ts";
import type { Files } from "../../../system/files/files.ts";
import type { StoreKind } from "../../record/checkpoint-tree.ts";
import { checkpointRefPrefix, idOfCheckpointRef } from "../../record/ids.ts";
import { v1Branch, v2FullPrefix, v2Main } from "../../stores/layout-refs.ts";
import { readPushed } from "../remote-state.ts";

export interface UnpushedContext {
  readonly git: Git;
  readonly files: Files;
}

/** Refs that differ from what the remote was last seen to have of us; asks nothing of the network. */
export async function findUnpushed(
  { git, files }: UnpushedContext,
  remote: Remote,
): Promise<Map<string, Oid>> {
  const pushed = readPushed({ repository: git.repository, files }, remote);
  const tracking = `refs/remotes/${remote.name}/entire/checkpoints/v1`;
  const output = await git.text([
    "for-each-ref",
    "--format=%(objectname) %(refname)",
    v1Branch,
    checkpointRefPrefix,
    notesRef,
    tracking,
  ]);
  const refs = new Map<string, Oid>();
  for (const line of output.split("\n")) {
    const [oid = "", ref = ""] = line.split(" ");
    if (isOid(oid)) refs.set(ref, oid);
  }
  const cloned = refs.get(tracking);
  const unpushed = new Map<string, Oid>();
  for (const [ref, oid] of refs) {
    const isOurs = ref !== tracking && groupOf(ref) !== undefined;
    const isThere = pushed.get(ref)?.local === oid || (ref === v1Branch && oid === cloned);
    if (isOurs && !isThere) unpushed.set(ref, oid);
  }
  return unpushed;
}

export type Group = StoreKind | "notes";

export function groupOf(ref: string): Group | undefined {
  if (ref === v1Branch) return "v1";
  if (ref === notesRef) return "notes";
  if (ref === v2Main || ref.startsWith(v2FullPrefix)) return "v2";
  return idOfCheckpointRef(ref) === undefined ? undefined : "refs";
}
