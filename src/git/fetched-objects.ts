import { join } from "node:path";
import type { Files } from "../system/files/files.ts";
import type { Git, GitOptions } from "./git.ts";
import type { Repository } from "./repository.ts";

/**
 * What transfers of ours bring, in an object directory beside the repository's own: commits without their history and
 * trees without their files, which git must never meet on its walks (push, gc, fsck, clone). The repository does not
 * borrow from it; only our own readers do, process by process.
 */
export function fetchedObjectsFolder(repository: Repository): string {
  return join(fetchedFolder(repository), "objects");
}

function fetchedFolder({ commonDir }: Repository): string {
  return join(commonDir, "keyframe", "fetched");
}

/**
 * Makes the directory, as a small git directory that borrows the repository's objects and knows no remote: in a partial
 * clone of the user some versions of git die over an object that is absent and promised, if it must not be fetched.
 */
export function prepareFetched(repository: Repository, files: Files, format: "sha1" | "sha256"): void {
  const folder = fetchedFolder(repository);
  for (const name of ["objects/info", "objects/pack", "refs"]) files.makeFolder(join(folder, name));
  const write = (name: string, text: string) => {
    if (files.statIfExists(join(folder, name)) === undefined)
      files.replaceWithoutSync(join(folder, name), Buffer.from(text));
  };
  write("objects/info/alternates", `${join(repository.commonDir, "objects")}\n`);
  const extensions = format === "sha256" ? "[extensions]\n\tobjectFormat = sha256\n" : "";
  write("config", `[core]\n\trepositoryformatversion = 1\n\tbare = true\n${extensions}`);
  write("HEAD", "ref: refs/heads/none\n");
}

const borrowed = "GIT_ALTERNATE_OBJECT_DIRECTORIES";

/** Commands that read objects by name and write none. */
const readers = new Set(["cat-file", "ls-tree"]);

/**
 * The same repository; objects that were fetched are read as if they were its own. Commands that write are not touched: git
 * leaves out what it believes to have, and the repository would be incomplete.
 */
export function borrowFetched(git: Git, files: Files): Git {
  const folder = fetchedObjectsFolder(git.repository);
  const gitDir = fetchedFolder(git.repository);
  const reads = (args: readonly string[]) =>
    readers.has(args[0] ?? "") && files.statIfExists(join(gitDir, "HEAD")) !== undefined;
  const isPartial = lazily(() => isPartialClone(git.repository, files));
  const there = (args: readonly string[]) =>
    reads(args) && isPartial() ? ["--git-dir", gitDir, ...args] : args;
  const withFetched = <T extends GitOptions>(args: readonly string[], options: T): T =>
    reads(args) ? { ...options, env: { [borrowed]: alternates(folder), ...options.env } } : options;
  return {
    repository: git.repository,
    run: (args, options = {}) => git.run(there(args), withFetched(args, options)),
    text: (args, options = {}) => git.text(there(args), withFetched(args, options)),
    start: (args, options = {}) => git.start(there(args), withFetched(args, options)),
  };
}

function lazily<T>(find: () => T): () => T {
  let found: { readonly value: T } | undefined;
  return () => {
    found ??= { value: find() };
    return found.value;
  };
}

function isPartialClone({ commonDir }: Repository, files: Files): boolean {
  const config = files.readIfExists(join(commonDir, "config"))?.toString("utf8") ?? "";
  return /^\s*(?:promisor|partialclone)\s*=/im.test(config);
}

/** Environment of a reader that must see the repository's own objects alone, because something is written by its answer. */
export function ownObjectsOnly(): NodeJS.ProcessEnv {
  return { [borrowed]: process.env[borrowed] };
}

/** As git writes lists of directories: quoted where the separator could be meant. */
function alternates(folder: string): string {
  const quoted = /[:"\\\n]/.test(folder)
    ? `"${folder.replace(/["\\]/g, String.raw`\$&`).replaceAll("\n", String.raw`\n`)}"`
    : folder;
  const given = process.env[borrowed];
  return given === undefined || given === "" ? quoted : `${given}:${quoted}`;
}
