import { join } from "node:path";
import type { RepoPath } from "../../git/ids.ts";
import type { Files } from "../../system/files/files.ts";
import { type Epoch, pathFolder, pathsFolder } from "../layout.ts";
import type { PathHead, PathState } from "../path-state.ts";
import { encodePathHead, parsePathHead } from "./path-head.ts";

const headName = "head.json";

/** The head that an epoch holds for a path. A damaged one counts as none: `doctor` makes it again from the log. */
export function readPathHead(files: Files, epoch: Epoch, path: RepoPath): PathHead | undefined {
  return readHeadIn(files, pathFolder(epoch, path));
}

/** All heads of an epoch; those of damaged files are left out. */
export function* readPathHeads(files: Files, epoch: Epoch): Generator<PathHead> {
  for (const folder of listPathFolders(files, epoch)) {
    const head = readHeadIn(files, folder);
    if (head !== undefined) yield head;
  }
}

/** Directories of an epoch whose head is there and not whole. */
export function* findDamagedHeads(files: Files, epoch: Epoch): Generator<string> {
  for (const folder of listPathFolders(files, epoch)) {
    const bytes = files.readIfExists(join(folder, headName));
    if (bytes !== undefined && parsePathHead(bytes) === undefined) yield folder;
  }
}

/** Moves a head: readers see the old one or the new one. The directory must exist. */
export function writePathHead(files: Files, epoch: Epoch, head: PathHead): void {
  files.replaceWithoutSync(join(pathFolder(epoch, head.path), headName), encodePathHead(head), {
    mode: 0o600,
  });
}

/** The bytes of a state; undefined for an absent path, one recorded by digest only, or a lost file. */
export function readStateContent(
  files: Files,
  epoch: Epoch,
  { path }: PathHead,
  state: PathState,
): Buffer | undefined {
  if (state.kind === "absent") return undefined;
  return files.readIfExists(stateContentPath(epoch, path, state));
}

export function stateContentPath(epoch: Epoch, path: RepoPath, state: PathState): string {
  return join(pathFolder(epoch, path), state.digest);
}

export function* listPathFolders(files: Files, epoch: Epoch): Generator<string> {
  for (const { name } of files.listIfExists(pathsFolder(epoch)) ?? []) yield join(pathsFolder(epoch), name);
}

function readHeadIn(files: Files, folder: string): PathHead | undefined {
  const bytes = files.readIfExists(join(folder, headName));
  return bytes === undefined ? undefined : parsePathHead(bytes);
}
