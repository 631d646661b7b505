import type { Git } from "../../git/git.ts";
import { isOid, type Oid } from "../../git/ids.ts";
import { listTrees } from "../../git/objects/tree.ts";
import { idOfCheckpointRef } from "../record/ids.ts";
import { pathsOf, type Removal } from "./removal.ts";
import { rewriteHistory } from "./rewrite-history.ts";

export interface RefTip {
  readonly ref: string;
  readonly oid: Oid;
}

export interface RewrittenRef extends RefTip {
  /** Undefined: the ref goes. */
  readonly next: Oid | undefined;
}

export interface Rewritten {
  /** Only those that change. */
  readonly refs: readonly RewrittenRef[];
  /** Objects that the refs held under the paths in question and do not hold any more. */
  readonly gone: ReadonlySet<Oid>;
}

/** The refs with something taken out of all of their history; none has moved yet. */
export async function removeFromRefs(
  git: Git,
  refs: readonly RefTip[],
  removal: Removal,
): Promise<Rewritten> {
  const rewritten: RewrittenRef[] = [];
  const gone = new Set<Oid>();
  const kept = new Set<Oid>();
  const isOther = ({ ref }: RefTip) => {
    const id = idOfCheckpointRef(ref);
    return id !== undefined && !removal.checkpoints.has(id) && !removal.folders.has(id);
  };
  const others = refs.filter(isOther).map(({ oid }) => oid);
  for (const files of (await listTrees(git, others)).values()) for (const { oid } of files) kept.add(oid);
  for (const { ref, oid } of refs.filter((at) => !isOther(at))) {
    const drops = pathsOf(ref, removal);
    let isTouched = false;
    for (const [blob, paths] of await readHistory(git, oid)) {
      const isDropped = [...paths].some(drops);
      if (isDropped) gone.add(blob);
      isTouched ||= isDropped;
      if (![...paths].every(drops)) kept.add(blob);
    }
    if (!isTouched) continue;
    const id = idOfCheckpointRef(ref);
    const isWhole = id !== undefined && removal.checkpoints.has(id);
    const next = isWhole ? undefined : await rewriteHistory(git, oid, { drops, replaced: new Map() });
    rewritten.push({ ref, oid, next });
  }
  return { refs: rewritten, gone: new Set([...gone].filter((oid) => !kept.has(oid))) };
}

/** The refs with new objects in place of old ones, wherever in their history those are. */
export async function replaceInRefs(
  git: Git,
  refs: readonly RefTip[],
  replaced: ReadonlyMap<Oid, Oid>,
): Promise<Rewritten> {
  const rewritten: RewrittenRef[] = [];
  for (const { ref, oid } of refs) {
    const held = await readHistory(git, oid);
    if (![...replaced.keys()].some((blob) => held.has(blob))) continue;
    rewritten.push({ ref, oid, next: await rewriteHistory(git, oid, { drops: () => false, replaced }) });
  }
  return { refs: rewritten, gone: new Set(replaced.keys()) };
}

/** Every file that any commit of a history holds, with the paths at which it was put there. */
export async function readHistory(git: Git, tip: Oid): Promise<Map<Oid, Set<string>>> {
  const args = ["log", "--format=", "--raw", "--no-abbrev", "-z", "-m", "--root", "--no-renames"];
  const { stdout } = await git.run([...args, tip, "--"]);
  const held = new Map<Oid, Set<string>>();
  const parts = stdout.toString("utf8").split("\0");
  for (let at = 0; at + 1 < parts.length; at += 2) {
    const [, , , oid = ""] = (parts[at] ?? "").trim().split(" ");
    const path = parts[at + 1] ?? "";
    if (!isOid(oid) || /^0+$/.test(oid)) continue;
    const paths = held.get(oid) ?? new Set();
    held.set(oid, paths.add(path));
  }
  return held;
}
