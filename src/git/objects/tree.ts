import { isKeyframeError, KeyframeError } from "../../base/errors.ts";
import type { ProcessResult } from "../../system/process/processes.ts";
import type { Git } from "../git.ts";
import { gitFailed } from "../git.ts";
import { isOid, type Oid } from "../ids.ts";
import { streamObjects } from "./object-stream.ts";

export interface TreeEntry {
  /** "100644", "040000", ... */
  readonly mode: string;
  readonly type: "blob" | "tree" | "commit";
  readonly oid: Oid;
  /** From the root of the listed tree, "/" separators. */
  readonly path: string;
}

/** What the list of one tree may take: a million files of long names. A few trees that name each other can claim more. */
const maxListingBytes = 256 * 1024 * 1024;

/** Every file below a tree in git's order, from one `ls-tree -r -z`; `under` limits it to some folders. */
export async function listTree(
  git: Git,
  treeish: string,
  under: readonly string[] = [],
): Promise<TreeEntry[]> {
  const args = ["ls-tree", "-r", "-z", "--full-tree", treeish];
  if (under.length > 0) args.push("--", ...under);
  const result = await runListing(git, args, treeish);
  const text = result.stdout.toString("utf8");
  const entries: TreeEntry[] = [];
  for (let start = 0; start < text.length; ) {
    const end = text.indexOf("\0", start);
    const tab = text.indexOf("\t", start);
    if (end === -1 || tab === -1 || tab > end) throw gitFailed(args, { ...result, code: 1 });
    const [mode = "", type = "", oid = ""] = text.slice(start, tab).split(" ");
    if (isOid(oid))
      entries.push({ mode, type: type as TreeEntry["type"], oid, path: text.slice(tab + 1, end) });
    start = end + 1;
  }
  return entries;
}

async function runListing(git: Git, args: readonly string[], treeish: string): Promise<ProcessResult> {
  try {
    return await git.run(args, { env: { GIT_NO_LAZY_FETCH: "1" }, maxOutputBytes: maxListingBytes });
  } catch (error) {
    if (!isKeyframeError(error, "too-large")) throw error;
    const message = `the tree ${treeish} names more files than any list of checkpoints has`;
    const hint = "a few trees that name each other can claim millions: look at who pushed it";
    throw new KeyframeError("too-large", message, { cause: error, hint });
  }
}

/** One level of a tree object as `cat-file` gives it (`mode name NUL id-bytes`, repeated). */
export function parseTree(content: Buffer, oidBytes: 20 | 32): TreeEntry[] {
  const entries: TreeEntry[] = [];
  for (let start = 0; start < content.length; ) {
    const space = content.indexOf(0x20, start);
    const nul = content.indexOf(0, space);
    if (space === -1 || nul === -1 || nul + 1 + oidBytes > content.length) return entries;
    const mode = content.toString("latin1", start, space);
    entries.push({
      mode,
      type: mode === "40000" ? "tree" : mode === "160000" ? "commit" : "blob",
      path: content.toString("utf8", space + 1, nul),
      oid: content.toString("hex", nul + 1, nul + 1 + oidBytes) as Oid,
    });
    start = nul + 1 + oidBytes;
  }
  return entries;
}

/**
 * Every file below many trees, asked for level by level in bulk; a tree that is not on this machine is absent, as is
 * what lies deeper than `maxTreeDepth` or beyond `maxFilesPerTree`.
 */
export async function listTrees(git: Git, roots: readonly Oid[]): Promise<Map<Oid, TreeEntry[]>> {
  return (await walkTrees(git, roots)).files;
}

/** Those of some commits of which a tree is not on this machine, or the commit itself. */
export async function incompleteTrees(git: Git, roots: readonly Oid[]): Promise<ReadonlySet<Oid>> {
  return (await walkTrees(git, roots)).incomplete;
}

async function walkTrees(git: Git, roots: readonly Oid[]) {
  const files = new Map<Oid, TreeEntry[]>();
  const incomplete = new Set<Oid>();
  const entryCounts = new Map<Oid, number>();
  let level = [...new Set(roots)].map((root) => ({ root, path: "", name: `${root}^{tree}` }));
  for (let depth = 0; level.length > 0 && depth < maxTreeDepth; depth += 1) {
    const next: typeof level = [];
    let at = 0;
    for await (const object of streamObjects(
      git,
      level.map(({ name }) => name),
    )) {
      const place = level[at];
      at += 1;
      if (place === undefined) continue;
      if (object.info?.type !== "tree") {
        incomplete.add(place.root);
        continue;
      }
      const found = files.get(place.root) ?? [];
      files.set(place.root, found);
      const entries = parseTree(await object.bytes(), object.info.oid.length === 40 ? 20 : 32);
      const count = (entryCounts.get(place.root) ?? 0) + entries.length;
      entryCounts.set(place.root, count);
      if (count > maxFilesPerTree) {
        incomplete.add(place.root);
        continue;
      }
      for (const entry of entries) {
        const path = `${place.path}${entry.path}`;
        if (entry.type === "tree") next.push({ root: place.root, path: `${path}/`, name: entry.oid });
        else found.push({ ...entry, path });
      }
    }
    level = next;
  }
  return { files, incomplete };
}

const maxTreeDepth = 12;
/** Of one checkpoint: 500 sessions of 40 chunks. */
const maxFilesPerTree = 20_000;
