import { join } from "node:path";
import { sha256Hex } from "../../base/digest.ts";
import { isOid, type Oid, type RepoPath } from "../../git/ids.ts";
import type { Repository } from "../../git/repository.ts";
import type { Files } from "../../system/files/files.ts";
import type { LineOwnerRun } from "../line-owners.ts";
import type { PathHead } from "../path-state.ts";
import { encodeRecordLine, parseRecordLine } from "../record-line.ts";

/*
 * <common dir>/keyframe/kept/
 *   seen                          the stash's commits that were looked at, one a line
 *   <path id>-<blob>.json         who owns the lines of a blob that git put aside; one self-checking line
 *   <path id>-<blob>              the blob's content as the journal had it
 */

/** A state of a path that git put aside (a stash) while the journal knew its owners. */
export interface KeptState {
  readonly path: RepoPath;
  readonly blob: Oid;
  readonly content: Buffer;
  readonly runs: readonly LineOwnerRun[];
  readonly known: Pick<PathHead, "agents" | "humans" | "evidence">;
}

/** States beyond this many are forgotten, the oldest first. */
const maxKeptStates = 2000;

export function writeKeptState(repository: Repository, files: Files, state: KeptState): void {
  const folder = keptFolder(repository);
  files.makeFolder(folder, { mode: 0o700 });
  const { path, blob, content, runs, known } = state;
  const name = join(folder, `${pathId(path)}-${blob}`);
  files.createIfAbsent(name, content, { mode: 0o600 });
  files.replaceWithoutSync(`${name}.json`, encodeRecordLine({ path, blob, runs, known }), { mode: 0o600 });
}

export function hasKeptStates(repository: Repository, files: Files): boolean {
  return (files.listIfExists(keptFolder(repository)) ?? []).some(({ name }) => name.endsWith(".json"));
}

/** The kept states of a path, in any worktree; damaged ones are left out. */
export function readKeptStates(repository: Repository, files: Files, path: RepoPath): KeptState[] {
  const prefix = `${pathId(path)}-`;
  return (files.listIfExists(keptFolder(repository)) ?? [])
    .flatMap(({ name }) => (name.startsWith(prefix) ? readKept(repository, files, name) : []))
    .filter((state) => state.path === path);
}

/** Kept states by the blob that they stand for, whatever the path: of files that were copied. */
export class KeptBlobs {
  readonly #repository: Repository;
  readonly #files: Files;
  #names: ReadonlyMap<string, string> | undefined;

  constructor(repository: Repository, files: Files) {
    this.#repository = repository;
    this.#files = files;
  }

  read(blob: Oid): KeptState[] {
    this.#names ??= new Map(
      (this.#files.listIfExists(keptFolder(this.#repository)) ?? []).flatMap(({ name }) => {
        const [, id] = /-([0-9a-f]+)\.json$/.exec(name) ?? [];
        return id === undefined ? [] : [[id, name] as const];
      }),
    );
    const name = this.#names.get(blob);
    return name === undefined ? [] : readKept(this.#repository, this.#files, name);
  }
}

function readKept(repository: Repository, files: Files, name: string): KeptState[] {
  if (!name.endsWith(".json")) return [];
  const folder = keptFolder(repository);
  const record = parseRecordLine(files.readIfExists(join(folder, name)) ?? Buffer.alloc(0));
  const content = files.readIfExists(join(folder, name.slice(0, -".json".length)));
  const isKept = record !== undefined && Array.isArray(record["runs"]);
  // the sum has been checked: the record is as writeKeptState wrote it
  return isKept && content !== undefined ? [{ ...(record as unknown as KeptState), content }] : [];
}

/** The stash's commits whose states were kept. */
export function readSeenStashes(repository: Repository, files: Files): ReadonlySet<Oid> {
  const text = files.readIfExists(seenPath(repository))?.toString("latin1") ?? "";
  return new Set(text.split("\n").filter(isOid));
}

export function writeSeenStashes(repository: Repository, files: Files, stashes: readonly Oid[]): void {
  files.makeFolder(keptFolder(repository), { mode: 0o700 });
  files.replaceWithoutSync(seenPath(repository), Buffer.from(stashes.map((oid) => `${oid}\n`).join("")));
  forgetOldest(repository, files);
}

function forgetOldest(repository: Repository, files: Files): void {
  const folder = keptFolder(repository);
  const names = (files.listIfExists(folder) ?? []).filter(({ name }) => name.endsWith(".json"));
  if (names.length <= maxKeptStates) return;
  const byAge = names
    .map(({ name }) => ({ name, mtimeMs: files.statIfExists(join(folder, name))?.mtimeMs ?? 0 }))
    .sort((a, b) => a.mtimeMs - b.mtimeMs);
  for (const { name } of byAge.slice(0, names.length - maxKeptStates)) {
    files.remove(join(folder, name));
    files.remove(join(folder, name.slice(0, -".json".length)));
  }
}

function keptFolder(repository: Repository): string {
  return join(repository.commonDir, "keyframe", "kept");
}

function seenPath(repository: Repository): string {
  return join(keptFolder(repository), "seen");
}

function pathId(path: RepoPath): string {
  return sha256Hex(path).slice(0, 16);
}
