import { join } from "node:path";
import { sha256Hex } from "../base/digest.ts";
import type { Oid, RepoPath } from "../git/ids.ts";
import type { Repository } from "../git/repository.ts";
import type { Files } from "../system/files/files.ts";

/*
 * <git dir of the worktree>/keyframe/journal/
 *   lock                          names the process that writes
 *   shell/<call>.json             shell calls of agents that have begun and not ended
 *   problems.jsonl                what hooks could not do
 *   <sequence>-<base>/            an epoch: the time during which HEAD was at one commit
 *     log.jsonl                   one self-checking event a line
 *     owned                       exists once a line has an owner: else there is nothing to settle
 *     paths/<id>/head.json        what is pending for one path
 *     paths/<id>/<digest>         the content of a state that the head names
 */

/** The commit that HEAD was at, or `initial` before the first one. */
export type BaseCommit = Oid | "initial";

export interface Epoch {
  /** 1 for the first of a worktree; a later one is larger. */
  readonly sequence: number;
  readonly base: BaseCommit;
  readonly folder: string;
}

export function journalFolder(repository: Repository): string {
  return join(repository.gitDir, "keyframe", "journal");
}

export function lockPath(repository: Repository): string {
  return join(journalFolder(repository), "lock");
}

export function shellCallsFolder(repository: Repository): string {
  return join(journalFolder(repository), "shell");
}

/** True if some agent's shell call has begun and not ended, as far as its record tells. */
export function hasShellCalls(repository: Repository, files: Files): boolean {
  return (files.listIfExists(shellCallsFolder(repository)) ?? []).some(({ name }) => name.endsWith(".json"));
}

export function makeEpoch(repository: Repository, sequence: number, base: BaseCommit): Epoch {
  return {
    sequence,
    base,
    folder: join(journalFolder(repository), `${String(sequence).padStart(8, "0")}-${base}`),
  };
}

/** In order of time. */
export function listEpochs(repository: Repository, files: Files): Epoch[] {
  const epochs: Epoch[] = [];
  for (const { name } of files.listIfExists(journalFolder(repository)) ?? []) {
    const match = /^(\d{8,})-([0-9a-f]{40}|[0-9a-f]{64}|initial)$/.exec(name);
    if (match?.[2] !== undefined)
      epochs.push(makeEpoch(repository, Number(match[1]), match[2] as BaseCommit));
  }
  return epochs;
}

export function logPath(epoch: Epoch): string {
  return join(epoch.folder, "log.jsonl");
}

export function ownedPath(epoch: Epoch): string {
  return join(epoch.folder, "owned");
}

export function isOwned(epoch: Epoch, files: Files): boolean {
  return files.statIfExists(ownedPath(epoch)) !== undefined;
}

export function pathsFolder(epoch: Epoch): string {
  return join(epoch.folder, "paths");
}

/** A path's folder: named by digest, since a path can hold anything. */
export function pathFolder(epoch: Epoch, path: RepoPath): string {
  return join(pathsFolder(epoch), sha256Hex(path).slice(0, 32));
}
