import type { Oid, RepoPath } from "../../git/ids.ts";
import type { CommitPatch, FilePatch } from "../../git/objects/file-patch.ts";
import type { ObjectReader } from "../../git/objects/objects.ts";
import { addedRanges } from "../rules/added-lines.ts";
import { type CarrySource, carry } from "../rules/carry.ts";
import type { OwnerRuns } from "../rules/owner-runs.ts";
import { type AuthorshipLog, type FileOwners, normalisePath, ownersByPath } from "./log.ts";

/** A commit whose note tells owners of lines that another commit adds again. */
export interface NotedSource {
  readonly commit: Oid;
  readonly log: AuthorshipLog;
  /** What the commit renamed, by the new path: from here on towards older sources a file has its old one. */
  readonly renames?: ReadonlyMap<RepoPath, RepoPath>;
}

export interface CarriedFile {
  readonly path: RepoPath;
  readonly runs: OwnerRuns;
}

export interface CarriedNotes {
  /** Files in which some added line has an owner. */
  readonly files: readonly CarriedFile[];
  /** The sources that gave an owner to some line. */
  readonly used: ReadonlySet<NotedSource>;
}

/**
 * Who owns the lines that a commit adds, as far as the notes of other commits tell: owners follow the lines through the
 * contents. Of commits that one was made from, the newest comes first.
 */
export async function carryNotes(
  reader: ObjectReader,
  { commit, files }: CommitPatch,
  sources: readonly NotedSource[],
): Promise<CarriedNotes> {
  const owners = sources.map((source) => ({ source, owners: ownersByPath(source.log) }));
  const carried = await Promise.all(
    files.map((file) => carryFile(reader, { commit, file, sources: owners })),
  );
  const found = carried.filter((file) => file !== undefined);
  return {
    files: found.map(({ path, runs }) => ({ path, runs })),
    used: new Set(found.flatMap(({ used }) => used)),
  };
}

interface OwnedSource {
  readonly source: NotedSource;
  readonly owners: ReadonlyMap<string, FileOwners>;
}

async function carryFile(
  reader: ObjectReader,
  {
    commit,
    file,
    sources,
  }: { readonly commit: Oid; readonly file: FilePatch; readonly sources: readonly OwnedSource[] },
): Promise<(CarriedFile & { readonly used: readonly NotedSource[] }) | undefined> {
  const { newPath, oldPath } = file;
  const open = addedRanges(file.hunks);
  if (newPath === undefined || file.binary || open.length === 0) return undefined;
  const paths = new Set<RepoPath>(oldPath === undefined ? [newPath] : [newPath, oldPath]);
  const known: (CarrySource & { readonly source: NotedSource })[] = [];
  for (const { source, owners } of sources) {
    for (const path of paths) {
      const runs = owners.get(normalisePath(path))?.runs;
      const blob = runs === undefined ? undefined : await reader.read(`${source.commit}:${path}`);
      if (runs === undefined || blob?.type !== "blob") continue;
      known.push({ content: blob.content, runs, isComplete: false, pairing: "told", source });
    }
    for (const [to, from] of source.renames ?? []) if (paths.has(to)) paths.add(from);
  }
  const blob = known.length === 0 ? undefined : await reader.read(`${commit}:${newPath}`);
  if (blob?.type !== "blob") return undefined;
  const { runs, used } = carry(known, { content: blob.content, open });
  if (runs.length === 0) return undefined;
  return {
    path: newPath,
    runs,
    used: known.filter((_, index) => used.has(index)).map(({ source }) => source),
  };
}
