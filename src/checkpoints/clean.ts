import { join } from "node:path";
import type { Git } from "../git/git.ts";
import { isOid, type Oid } from "../git/ids.ts";
import { updateRefs } from "../git/refs.ts";
import type { Files } from "../system/files.ts";
import { searchFolder } from "./search-index.ts";

/** Something that only takes room. Stored checkpoints are never among it. */
export type CleanItem =
  /** A branch of temporary snapshots that an older tool left; its session has no state any more. */
  | { readonly kind: "shadow branch"; readonly ref: string; readonly oid: Oid }
  /** A ref that a fetch was to remove. */
  | { readonly kind: "temporary ref"; readonly ref: string; readonly oid: Oid }
  /** The index of `keyframe search`, which is built again when needed. */
  | { readonly kind: "search index"; readonly path: string }
  /** What `git fast-import` writes when it is killed. */
  | { readonly kind: "crash report"; readonly path: string };

export interface CleanFacts {
  readonly refs: readonly {
    readonly ref: string;
    readonly oid: Oid;
    readonly sessionId: string | undefined;
  }[];
  /** Sessions that have a state file: their branches are in use. */
  readonly liveSessions: ReadonlySet<string>;
  readonly searchFolders: readonly string[];
  readonly crashReports: readonly string[];
}

export async function readCleanFacts(git: Git, files: Files): Promise<CleanFacts> {
  const { commonDir, gitDir } = git.repository;
  const listing = await git.text([
    "for-each-ref",
    "--format=%(objectname) %(refname) %(contents:trailers:key=Entire-Session,valueonly,separator=%x2C)",
    "refs/heads/entire/",
    "refs/entire-fetch-tmp/",
    "refs/keyframe/scratch/",
  ]);
  const states = files.listIfExists(join(commonDir, "entire-sessions")) ?? [];
  const folder = join(commonDir, "keyframe");
  return {
    refs: listing.split("\n").flatMap((line) => {
      const [oid = "", ref = "", session = ""] = line.split(" ");
      return isOid(oid) ? [{ ref, oid, sessionId: session === "" ? undefined : session }] : [];
    }),
    liveSessions: new Set(states.map(({ name }) => name.replace(/\.json$/, ""))),
    searchFolders: (files.listIfExists(folder) ?? [])
      .filter(({ name }) => name.startsWith("search-v"))
      .map(({ name }) => join(folder, name)),
    crashReports: (files.listIfExists(gitDir) ?? [])
      .filter(({ name }) => /^fast_import_crash_\d+$/.test(name))
      .map(({ name }) => join(gitDir, name)),
  };
}

/** Decides what can go; pure. The search index goes only where everything shall, except for one of an older version. */
export function planClean(
  facts: CleanFacts,
  { all, commonDir }: { readonly all: boolean; readonly commonDir: string },
): CleanItem[] {
  const items: CleanItem[] = [];
  for (const { ref, oid, sessionId } of facts.refs) {
    if (ref.startsWith("refs/entire-fetch-tmp/") || ref.startsWith("refs/keyframe/scratch/")) {
      items.push({ kind: "temporary ref", ref, oid });
    } else if (isShadowBranch(ref) && sessionId !== undefined && !facts.liveSessions.has(sessionId)) {
      items.push({ kind: "shadow branch", ref, oid });
    }
  }
  for (const path of facts.searchFolders) {
    if (all || path !== searchFolder(commonDir)) items.push({ kind: "search index", path });
  }
  for (const path of facts.crashReports) items.push({ kind: "crash report", path });
  return items;
}

/** Only names with both parts: people have branches called `entire/feature`. */
function isShadowBranch(ref: string): boolean {
  return /^refs\/heads\/entire\/[0-9a-f]{7}-[0-9a-f]{6}$/.test(ref);
}

/** Removes what was planned; a ref that has moved since is left. Answers what was removed. */
export async function applyClean(git: Git, files: Files, items: readonly CleanItem[]): Promise<CleanItem[]> {
  const removed: CleanItem[] = [];
  for (const item of items) {
    if ("path" in item) {
      if (item.kind === "search index") files.removeTree(item.path);
      else files.remove(item.path);
      removed.push(item);
    } else if (
      await updateRefs(git, [{ ref: item.ref, expected: item.oid, next: undefined }], "keyframe: clean")
    ) {
      removed.push(item);
    }
  }
  return removed;
}
