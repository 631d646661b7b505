import { join } from "node:path";
import type { Files } from "../../system/files/files.ts";
import { isOid, type Oid } from "../ids.ts";
import { headLogPath, type RefMove, readMovesSince } from "../refs/reflog.ts";
import type { Repository } from "../repository.ts";

/** What git's files say at one moment, read without a process: enough to see later that git did something, and what. */
export interface GitState {
  /** Commits that `MERGE_HEAD`, `ORIG_HEAD` and the like name, by file. */
  readonly pointers: Readonly<Record<string, readonly Oid[]>>;
  /** The stash's commits, oldest first. */
  readonly stashes: readonly Oid[];
  readonly headLogBytes: number;
  /** Differs once the index, a ref or one of the above has changed. */
  readonly mark: string;
}

const pointerFiles = [
  "MERGE_HEAD",
  "CHERRY_PICK_HEAD",
  "REVERT_HEAD",
  "REBASE_HEAD",
  "ORIG_HEAD",
  "FETCH_HEAD",
  "SQUASH_MSG",
] as const;
const maxPointerBytes = 64 * 1024;
/** Branch directories whose times are looked at. */
const maxRefFolders = 100;

export function readGitState(repository: Repository, files: Files): GitState {
  const { gitDir, commonDir } = repository;
  const pointers: Record<string, readonly Oid[]> = {};
  for (const name of pointerFiles) {
    const oids = readPointer(join(gitDir, name), files);
    if (oids.length > 0) pointers[name] = oids;
  }
  const watched = [
    ...pointerFiles.map((name) => join(gitDir, name)),
    join(gitDir, "index"),
    join(gitDir, "HEAD"),
    headLogPath(repository),
    stashLogPath(repository),
    join(commonDir, "packed-refs"),
    join(commonDir, "reftable", "tables.list"),
    ...refFolders(commonDir, files),
  ];
  return {
    pointers,
    stashes: readStashes(repository, files),
    headLogBytes: files.statIfExists(headLogPath(repository))?.sizeBytes ?? 0,
    mark: watched.map((path) => markOf(path, files)).join(" "),
  };
}

/** The stash's commits as its reflog has them, oldest first; none where reflogs are no files. */
export function readStashes(repository: Repository, files: Files): Oid[] {
  return readMovesSince(files, stashLogPath(repository), 0).map(({ to }) => to);
}

function stashLogPath({ commonDir }: Repository): string {
  return join(commonDir, "logs", "refs", "stash");
}

/** Commit ids at the beginnings of lines: `<id>`, `<id>\tbranch ...` (fetch), `commit <id>` (squash message). */
function readPointer(path: string, files: Files): Oid[] {
  const stat = files.statIfExists(path);
  if (stat === undefined || stat.kind !== "file") return [];
  const text = files.readTail(path, maxPointerBytes).toString("latin1");
  return text.split("\n").flatMap((line) => {
    const oid = /^(?:commit )?([0-9a-f]{40,64})\b/.exec(line)?.[1] ?? "";
    return isOid(oid) ? [oid] : [];
  });
}

/** A ref that moves is written as a new file beside the old one: the directory's time changes. */
function refFolders(commonDir: string, files: Files): string[] {
  const folders = [join(commonDir, "refs", "heads"), join(commonDir, "refs", "remotes")];
  for (let at = 0; at < folders.length && folders.length < maxRefFolders; at += 1) {
    const folder = folders[at] ?? "";
    for (const { name, kind } of files.listIfExists(folder) ?? [])
      if (kind === "folder") folders.push(join(folder, name));
  }
  return folders;
}

function markOf(path: string, files: Files): string {
  const stat = files.statIfExists(path);
  return stat === undefined ? "-" : `${stat.mtimeMs}:${stat.sizeBytes}:${stat.inode}`;
}

/** Moves of HEAD since a state was read; undefined if HEAD's moves are not logged in a file. */
export function headMovesSince(repository: Repository, files: Files, state: GitState): RefMove[] | undefined {
  const path = headLogPath(repository);
  return files.statIfExists(path) === undefined ? undefined : readMovesSince(files, path, state.headLogBytes);
}
