import { join } from "node:path";
import { fault } from "../../system/fault.ts";
import type { Files } from "../../system/files/files.ts";
import { type Git, gitFailed } from "../git.ts";
import { isOid, type Oid, type RepoPath } from "../ids.ts";

/**
 * An index of our own over the user's work tree: what git keeps in it about each file makes a later look cost only the
 * files that changed. The user's index is read once, to begin with, and never written. One process at a time.
 */
export interface WorkTreeIndex {
  /** Brings the work tree's files into the object database and returns their tree. */
  takeTree(): Promise<WorkTreeState>;
  /** Makes the index that of a tree, keeping what it knows about files that do not differ. */
  load(tree: Oid): Promise<void>;
  /** Writes these files of the index to the work tree, through the repository's filters; those in the way are replaced. */
  checkOut(paths: readonly RepoPath[]): Promise<void>;
  /** The index as git wrote it. */
  bytes(): Uint8Array;
}

export interface WorkTreeState {
  readonly tree: Oid;
  /** New files that were too large to take: they are in no snapshot, so nothing may touch them. */
  readonly untaken: readonly RepoPath[];
}

/** New files above this are left out of snapshots, bytes. */
const maxNewFileBytes = 64 * 1024 * 1024;

export function openWorkTreeIndex(git: Git, files: Files): WorkTreeIndex {
  const { repository } = git;
  const folder = join(repository.gitDir, "keyframe", "snapshot");
  const indexPath = join(folder, "index");
  const env = { GIT_INDEX_FILE: indexPath };
  // options of the user's that would make git write more than the index, or show less than the files
  const plain = [
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.splitIndex=false",
    "-c",
    "core.untrackedCache=false",
  ];

  async function begin(): Promise<void> {
    files.makeFolder(folder);
    // a killed git leaves its lock behind, and nobody else uses this index
    files.remove(`${indexPath}.lock`);
    if (files.statIfExists(indexPath) !== undefined) return;
    const theirs = files.readIfExists(join(repository.gitDir, "index"));
    if (theirs !== undefined) files.replaceWithoutSync(indexPath, theirs, { mode: 0o600 });
  }

  /** Paths that differ from the index, and new ones; ignored files and submodules left out. */
  async function listChanged(): Promise<RepoPath[]> {
    const args = ["status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames"];
    const { stdout } = await git.run([...plain, ...args, "--ignore-submodules=all"], {
      // the index is ours: git may note in it what it found unchanged
      env: { ...env, GIT_OPTIONAL_LOCKS: "1" },
    });
    const paths: RepoPath[] = [];
    for (const entry of stdout.toString("latin1").split("\0")) {
      const path = entry.slice(3);
      // the second letter is the work tree's; a nested repository is shown as a directory
      if (entry === "" || path.endsWith("/") || entry[1] === " ") continue;
      paths.push(path as RepoPath);
    }
    return paths;
  }

  function isTooLarge(path: RepoPath): boolean {
    const real = Buffer.from(path, "latin1").toString("utf8");
    const stat = files.statIfExists(join(repository.workTree ?? "", real));
    return stat?.kind === "file" && stat.sizeBytes > maxNewFileBytes;
  }

  return {
    async takeTree() {
      await begin();
      let changed: RepoPath[];
      try {
        changed = await listChanged();
      } catch {
        // a damaged index of ours is made again from the user's
        files.remove(indexPath);
        await begin();
        changed = await listChanged();
      }
      const untaken = changed.filter(isTooLarge);
      const taken = changed.filter((path) => !untaken.includes(path));
      if (taken.length > 0) {
        await git.run([...plain, "update-index", "--add", "--remove", "--replace", "-z", "--stdin"], {
          env,
          stdin: Buffer.from(taken.map((path) => `${path}\0`).join(""), "latin1"),
        });
      }
      fault("rewind:after-index-before-tree");
      const args = [...plain, "write-tree"];
      const result = await git.run(args, { env });
      const tree = result.stdout.toString("latin1").trim();
      if (!isOid(tree)) throw gitFailed(args, result);
      return { tree, untaken };
    },
    bytes: () => files.read(indexPath),
    async load(tree) {
      await git.run([...plain, "read-tree", "-m", tree], { env });
    },
    async checkOut(paths) {
      // attributes decide how the others are written
      const isAttributes = (path: string) => path === ".gitattributes" || path.endsWith("/.gitattributes");
      for (const some of [paths.filter(isAttributes), paths.filter((path) => !isAttributes(path))]) {
        if (some.length === 0) continue;
        await git.run([...plain, "checkout-index", "-f", "-u", "-q", "-z", "--stdin"], {
          env,
          stdin: some.map((path) => `${path}\0`).join(""),
        });
      }
    },
  };
}
