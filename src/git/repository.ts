import { dirname, isAbsolute, join, resolve } from "node:path";
import { KeyframeError } from "../base/errors.ts";
import type { Files } from "../system/files/files.ts";
import { isOid, type Oid } from "./ids.ts";

/** Where a repository lives. All paths are absolute. */
export interface Repository {
  /** Top folder of the checked-out files; undefined in a bare repository. */
  readonly workTree: string | undefined;
  /** `.git`, or `.git/worktrees/<name>` of a linked worktree, or `.git/modules/<name>` of a submodule. */
  readonly gitDir: string;
  /** The folder that linked worktrees share: objects, refs, config. */
  readonly commonDir: string;
}

/**
 * Finds the repository that holds `start` by walking up, without running git: hooks have no time for it.
 * Knows work trees, linked worktrees, submodules (`.git` files) and bare repositories.
 */
export function findRepository(start: string, files: Files): Repository | undefined {
  for (let folder = resolve(start); ; folder = dirname(folder)) {
    const dotGit = join(folder, ".git");
    const kind = files.statTargetIfExists(dotGit)?.kind;
    if (kind === "folder" && looksLikeGitDir(dotGit, files)) return describe(folder, dotGit, files);
    if (kind === "file") {
      const gitDir = followGitFile(dotGit, files);
      if (gitDir !== undefined) return describe(folder, gitDir, files);
    }
    if (looksLikeGitDir(folder, files)) return describe(undefined, folder, files);
    if (dirname(folder) === folder) return undefined;
  }
}

/** @throws KeyframeError `not-found` outside of a repository */
export function mustFindRepository(start: string, files: Files): Repository {
  const repository = findRepository(start, files);
  if (repository === undefined) {
    throw new KeyframeError("not-found", `${start} is not inside a git repository`, {
      hint: "run the command inside a repository, or make one with `git init`",
    });
  }
  return repository;
}

function looksLikeGitDir(folder: string, files: Files): boolean {
  return (
    files.statIfExists(join(folder, "HEAD")) !== undefined &&
    (files.statIfExists(join(folder, "commondir")) !== undefined ||
      (files.statIfExists(join(folder, "objects")) !== undefined &&
        files.statIfExists(join(folder, "refs")) !== undefined))
  );
}

function followGitFile(path: string, files: Files): string | undefined {
  const match = /^gitdir: (.+?)\s*$/.exec(files.read(path).subarray(0, 8192).toString("utf8"));
  if (match?.[1] === undefined) return undefined;
  const gitDir = isAbsolute(match[1]) ? match[1] : resolve(dirname(path), match[1]);
  return looksLikeGitDir(gitDir, files) ? gitDir : undefined;
}

function describe(workTree: string | undefined, gitDir: string, files: Files): Repository {
  const pointer = files.readIfExists(join(gitDir, "commondir"))?.toString("utf8").trim();
  return { workTree, gitDir, commonDir: pointer === undefined ? gitDir : resolve(gitDir, pointer) };
}

export interface Head {
  /** `refs/heads/main`, or undefined when HEAD is detached. */
  readonly ref: string | undefined;
  /** Undefined before the first commit of the branch. */
  readonly oid: Oid | undefined;
}

/**
 * HEAD as git stores it in files (loose or packed refs). Answers undefined where refs are stored otherwise (reftable):
 * ask git then.
 */
export function readHeadFromFiles(repository: Repository, files: Files): Head | undefined {
  const text = files.readIfExists(join(repository.gitDir, "HEAD"))?.toString("utf8").trim();
  if (text === undefined || text === "ref: refs/heads/.invalid") return undefined;
  if (isOid(text)) return { ref: undefined, oid: text };
  if (!text.startsWith("ref: ")) return undefined;
  const ref = text.slice("ref: ".length);
  return { ref, oid: readRefFromFiles(repository, ref, files) };
}

/** False only if no ref can lie below `folder` (`refs/x/y`): looked up in files, without a process. */
export function mayHaveRefsBelow(repository: Repository, folder: string, files: Files): boolean {
  const { commonDir } = repository;
  return (
    files.statIfExists(join(commonDir, folder)) !== undefined ||
    files.statIfExists(join(commonDir, "reftable")) !== undefined ||
    files.readIfExists(join(commonDir, "packed-refs"))?.includes(` ${folder}/`) === true
  );
}

function readRefFromFiles(repository: Repository, ref: string, files: Files): Oid | undefined {
  for (const folder of [repository.gitDir, repository.commonDir]) {
    const loose = files.readIfExists(join(folder, ref))?.toString("utf8").trim();
    if (loose !== undefined && isOid(loose)) return loose;
    if (loose?.startsWith("ref: ")) return readRefFromFiles(repository, loose.slice("ref: ".length), files);
  }
  const packed = files.readIfExists(join(repository.commonDir, "packed-refs"));
  if (packed === undefined) return undefined;
  const at = packed.indexOf(` ${ref}\n`);
  if (at === -1) return undefined;
  const oid = packed.toString("latin1", packed.lastIndexOf("\n", at) + 1, at);
  return isOid(oid) ? oid : undefined;
}
