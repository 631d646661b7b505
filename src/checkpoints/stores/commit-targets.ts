import { basename, dirname } from "node:path/posix";
import { KeyframeError } from "../../base/errors.ts";
import type { Git } from "../../git/git.ts";
import { isOid, type Oid } from "../../git/ids.ts";
import {
  blobOid,
  type CommitMark,
  type ObjectFormat,
  openBulkWriter,
  type PathChange,
} from "../../git/objects/bulk-writer.ts";
import { missingOwnObjects } from "../../git/objects/missing-objects.ts";
import { type RefUpdate, updateRefs } from "../../git/refs/refs.ts";
import { fault } from "../../system/fault.ts";
import { maxWriteAttempts } from "../record/limits.ts";
import type { BlobSource } from "./store.ts";

/** One commit to be made on one ref. */
export interface CommitTarget {
  readonly ref: string;
  /** What the ref must still hold when it moves; undefined: it must not exist. */
  readonly expected: Oid | undefined;
  readonly parents: readonly Oid[];
  /** Subject of an empty first commit that is made where there is no parent. */
  readonly initialSubject?: string;
  /** Files as they are and as they shall be, by path; others are not touched. */
  readonly before: ReadonlyMap<string, Oid>;
  readonly after: ReadonlyMap<string, BlobSource>;
  readonly message: string;
}

export interface CommitContext {
  readonly git: Git;
  readonly format: ObjectFormat;
  readonly identity: string;
  readonly nowSeconds: number;
  /** For the reflog. */
  readonly reason: string;
}

/** True if the target would leave its tree as it is. */
export function keepsItsTree(target: Pick<CommitTarget, "before" | "after">, format: ObjectFormat): boolean {
  if (target.before.size !== target.after.size) return false;
  for (const [path, source] of target.after)
    if (target.before.get(path) !== oidOf(source, format)) return false;
  return true;
}

function oidOf(source: BlobSource, format: ObjectFormat): Oid {
  return "oid" in source ? source.oid : blobOid(source.bytes, format);
}

/**
 * Writes the objects of all targets, then moves all their refs together. False if another writer was first: nothing
 * has moved. A crash before the refs move leaves unreachable objects and nothing else.
 */
export async function commitTargets(
  targets: readonly CommitTarget[],
  context: CommitContext,
): Promise<boolean> {
  const writer = openBulkWriter(context.git, context.format);
  const marks: CommitMark[] = [];
  try {
    const written = new Set<Oid>();
    const folders = await treesWithAbsentFiles(context.git, targets, context.format);
    for (const [number, target] of targets.entries()) {
      const changes = diffFiles(target, context.format, folders[number] ?? new Map());
      for (const { oid, source } of changes.added) {
        if (!("bytes" in source) || written.has(oid)) continue;
        await writer.blob(source.bytes);
        written.add(oid);
      }
      const common = { identity: context.identity, atSeconds: context.nowSeconds };
      const parents: (Oid | CommitMark)[] = [...target.parents];
      if (parents.length === 0 && target.initialSubject !== undefined) {
        parents.push(
          await writer.commit({ ...common, parents: [], changes: [], message: target.initialSubject }),
        );
      }
      marks.push(
        await writer.commit({ ...common, parents, changes: changes.paths, message: target.message }),
      );
    }
  } catch (error) {
    writer.abandon();
    throw error;
  }
  fault("checkpoints:before-objects-durable");
  const commits = await writer.finish();
  fault("checkpoints:before-refs");
  const updates: RefUpdate[] = targets.map(({ ref, expected }, index) => ({
    ref,
    expected,
    next: commits.get(marks[index] ?? ":0"),
  }));
  return updateRefs(context.git, updates, context.reason);
}

/** `folders`: trees that were made already, because they name files that are not on this machine. */
function diffFiles({ before, after }: CommitTarget, format: ObjectFormat, folders: ReadonlyMap<string, Oid>) {
  const paths: PathChange[] = [];
  const added: { readonly oid: Oid; readonly source: BlobSource }[] = [];
  for (const [path, oid] of folders) paths.push({ kind: "tree", path, oid });
  for (const path of before.keys()) if (!after.has(path)) paths.push({ kind: "delete", path });
  for (const [path, source] of after) {
    const oid = oidOf(source, format);
    const inFolder = folders.has(dirname(path));
    const belowFolder = !inFolder && [...folders.keys()].some((folder) => path.startsWith(`${folder}/`));
    if (before.get(path) === oid && !belowFolder) continue;
    if (!inFolder) paths.push({ kind: "blob", path, oid });
    added.push({ oid, source });
  }
  return { paths, added };
}

/**
 * `fast-import` does not link a file whose object is not on this machine, although a record may well name one (it was
 * never fetched). Such directories are built as trees, each with the files right in it.
 */
async function treesWithAbsentFiles(
  git: Git,
  targets: readonly CommitTarget[],
  format: ObjectFormat,
): Promise<Map<string, Oid>[]> {
  const linked = targets.flatMap(({ before, after }) =>
    [...after].flatMap(([path, source]) =>
      "oid" in source && before.get(path) !== source.oid ? [source.oid] : [],
    ),
  );
  const absent = new Set(await missingOwnObjects(git, linked));
  const requests: { readonly target: number; readonly folder: string; readonly listing: string }[] = [];
  for (const [number, { before, after }] of targets.entries()) {
    const folders = new Set<string>();
    for (const [path, source] of after) {
      if ("oid" in source && absent.has(source.oid) && before.get(path) !== source.oid)
        folders.add(dirname(path));
    }
    for (const folder of folders) {
      const files = [...after].filter(([path]) => dirname(path) === folder);
      const listing = files.map(
        ([path, source]) => `100644 blob ${oidOf(source, format)}\t${basename(path)}\n`,
      );
      requests.push({ target: number, folder, listing: listing.join("") });
    }
  }
  const trees = targets.map(() => new Map<string, Oid>());
  if (requests.length === 0) return trees;
  const made = await git.text(["mktree", "--missing", "--batch"], {
    stdin: requests.map(({ listing }) => `${listing}\n`).join(""),
  });
  for (const [index, oid] of made.split("\n").entries()) {
    const request = requests[index];
    if (request !== undefined && isOid(oid)) trees[request.target]?.set(request.folder, oid);
  }
  return trees;
}

/**
 * Runs one attempt after the other until one is not overtaken.
 * @throws KeyframeError `lock-busy`
 */
export async function retryUntilFirst<T>(what: string, attempt: () => Promise<T | undefined>): Promise<T> {
  for (let round = 0; round < maxWriteAttempts; round += 1) {
    const result = await attempt();
    if (result !== undefined) return result;
  }
  throw new KeyframeError("lock-busy", `${what} kept moving while it was written`, {
    hint: "run the command again; nothing was lost",
  });
}

/** Files of several directories under one root. */
export function underFolders<T>(
  folders: Iterable<readonly [string, ReadonlyMap<string, T>]>,
): Map<string, T> {
  const files = new Map<string, T>();
  for (const [folder, members] of folders) {
    for (const [path, value] of members) files.set(folder === "" ? path : `${folder}/${path}`, value);
  }
  return files;
}
