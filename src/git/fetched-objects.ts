import { join } from "node:path";
import type { Files } from "../system/files/files.ts";
import type { Git, GitOptions } from "./git.ts";
import type { Repository } from "./repository.ts";

/**
 * What transfers of ours bring, in an object directory beside the repository's own: commits without their history and
 * trees without their files, which git must never meet on its walks (push, gc, fsck, clone). The repository does not
 * borrow from it; only our own readers do, process by process.
 */
export function fetchedObjectsFolder({ commonDir }: Repository): string {
  return join(commonDir, "keyframe", "fetched", "objects");
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
  const withFetched = <T extends GitOptions>(args: readonly string[], options: T): T => {
    const reads = readers.has(args[0] ?? "") && files.statIfExists(folder) !== undefined;
    return reads ? { ...options, env: { [borrowed]: alternates(folder), ...options.env } } : options;
  };
  return {
    repository: git.repository,
    run: (args, options = {}) => git.run(args, withFetched(args, options)),
    text: (args, options = {}) => git.text(args, withFetched(args, options)),
    start: (args, options = {}) => git.start(args, withFetched(args, options)),
  };
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
