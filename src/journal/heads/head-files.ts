import { join } from "node:path";
import type { RepoPath } from "../../git/ids.ts";
import type { Files } from "../../system/files/files.ts";
import { type Epoch, pathFolder, pathsFolder } from "../layout.ts";
import type { Head, PathState } from "../path-state.ts";
import { encodeHead, parseHead } from "./head.ts";

const headName = "head.json";

/** The head that an epoch holds for a path. A damaged one counts as none: `doctor` makes it again from the log. */
export function readHead(files: Files, epoch: Epoch, path: RepoPath): Head | undefined {
  return readHeadIn(files, pathFolder(epoch, path));
}

/** All heads of an epoch; those of damaged files are left out. */
export function* readHeads(files: Files, epoch: Epoch): Generator<Head> {
  for (const folder of listPathFolders(files, epoch)) {
    const head = readHeadIn(files, folder);
    if (head !== undefined) yield head;
  }
}

/** Folders of an epoch whose head is there and not whole. */
export function* findDamagedHeads(files: Files, epoch: Epoch): Generator<string> {
  for (const folder of listPathFolders(files, epoch)) {
    const bytes = files.readIfExists(join(folder, headName));
    if (bytes !== undefined && parseHead(bytes) === undefined) yield folder;
  }
}

/** Moves a head: readers see the old one or the new one. The folder must exist. */
export function writeHead(files: Files, epoch: Epoch, head: Head): void {
  files.replaceWithoutSync(join(pathFolder(epoch, head.path), headName), encodeHead(head), { mode: 0o600 });
}

/** The bytes of a state; undefined for an absent path, one recorded by digest only, or a lost file. */
export function readStateContent(
  files: Files,
  epoch: Epoch,
  { path }: Head,
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

function readHeadIn(files: Files, folder: string): Head | undefined {
  const bytes = files.readIfExists(join(folder, headName));
  return bytes === undefined ? undefined : parseHead(bytes);
}
