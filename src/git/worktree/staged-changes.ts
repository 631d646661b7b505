import type { Git, GitOptions } from "../git.ts";
import { isNullOid, isOid, type Oid, type RepoPath } from "../ids.ts";

/** One path that the index holds otherwise than a commit. */
export interface StagedChange {
  /** Undefined for a new file. */
  readonly oldPath: RepoPath | undefined;
  /** Undefined for a removed file. */
  readonly newPath: RepoPath | undefined;
  readonly newMode: string;
  /** Undefined for a removed file. */
  readonly newOid: Oid | undefined;
}

/** git, looking at another index than the repository's own: `git commit -a` and `-o` make one for the commit. */
export function withIndexFile(git: Git, indexFile: string | undefined): Git {
  if (indexFile === undefined || indexFile === "") return git;
  const env = { GIT_INDEX_FILE: indexFile };
  const add = (options: GitOptions = {}): GitOptions => ({ ...options, env: { ...options.env, ...env } });
  return {
    repository: git.repository,
    run: (args, options) => git.run(args, add(options)),
    text: (args, options) => git.text(args, add(options)),
    start: (args, options = {}) => git.start(args, { env: { ...options.env, ...env } }),
  };
}

/** What the index holds against a commit or tree, renames followed, without reading a line of content. */
export async function listStagedChanges(git: Git, against: Oid): Promise<StagedChange[]> {
  const args = [
    "diff-index",
    "--cached",
    "--raw",
    "-z",
    "-M",
    "-l1000",
    "--abbrev=64",
    "--ignore-submodules=none",
  ];
  const { stdout } = await git.run([...args, against]);
  return parseRawDiff(stdout);
}

/** The output of `--raw -z`: `:<mode> <mode> <id> <id> <status>NUL<path>NUL`, with two paths for renames. */
export function parseRawDiff(output: Buffer): StagedChange[] {
  const parts = output.toString("utf8").split("\0");
  const changes: StagedChange[] = [];
  for (let at = 0; at + 1 < parts.length; ) {
    const [, newMode = "", , newOid = "", status = ""] = (parts[at] ?? "").split(" ");
    const isRename = status.startsWith("R") || status.startsWith("C");
    const first = (parts[at + 1] ?? "") as RepoPath;
    const second = (isRename ? parts[at + 2] : first) as RepoPath;
    at += isRename ? 3 : 2;
    changes.push({
      oldPath: status === "A" ? undefined : first,
      newPath: status === "D" ? undefined : second,
      newMode,
      newOid: isOid(newOid) && !isNullOid(newOid) ? newOid : undefined,
    });
  }
  return changes;
}
