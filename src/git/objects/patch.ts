import type { Git } from "../git.ts";
import { gitFailed } from "../git.ts";
import type { Oid, RepoPath } from "../ids.ts";
import type { CommitPatch, FilePatch } from "./file-patch.ts";
import { PatchParser } from "./patch-parser.ts";

/**
 * The changes of many commits against their first parent (root commits against nothing), in the order asked, from one
 * `git diff-tree` process. Renames are followed. Line choice is that of `git blame` as it comes (Myers, indent
 * heuristic), so that "added by the commit" means the same in both, whatever the user's configuration says.
 */
export async function* readCommitPatches(git: Git, commits: readonly Oid[]): AsyncGenerator<CommitPatch> {
  if (commits.length === 0) return;
  // the parent is named for each, so that a merge is compared with its first parent only
  const parents = await firstParents(git, commits);
  yield* readParentPatches(
    git,
    commits.map((commit) => ({ commit, parent: parents.get(commit) as Oid | undefined })),
  );
}

export interface ParentPair {
  readonly commit: Oid;
  /** Undefined for a root commit. */
  readonly parent: Oid | undefined;
}

/** Commits of one process: what attributes hide is asked again, and the order stays. */
const pairsAtOnce = 500;

/** As `readCommitPatches`, against the parents that are named; one patch per pair, also where nothing changed. */
export async function* readParentPatches(
  git: Git,
  pairs: readonly ParentPair[],
): AsyncGenerator<CommitPatch> {
  for (let from = 0; from < pairs.length; from += pairsAtOnce) {
    const some = pairs.slice(from, from + pairsAtOnce);
    const held: CommitPatch[] = [];
    for await (const patch of readPairs(git, some, [])) {
      // while no file is held for binary, patches go on at once
      if (held.length === 0 && !hasBinary(patch)) yield patch;
      else held.push(patch);
    }
    yield* await withHiddenText(git, some, held);
  }
}

function readPairs(
  git: Git,
  pairs: readonly ParentPair[],
  options: readonly string[],
): AsyncGenerator<CommitPatch> {
  const args = ["diff-tree", "--stdin", "--root", "--always", "-r", ...patchOptions, ...options];
  const input = pairs.map(({ commit, parent }) => `${commit} ${parent ?? ""}`.trim()).join("\n");
  return runPatch(git, args, `${input}\n`);
}

/** Text that `-diff` or a driver hides from diffs has owners all the same: blame knows no attributes. */
async function withHiddenText(
  git: Git,
  pairs: readonly ParentPair[],
  patches: readonly CommitPatch[],
): Promise<readonly CommitPatch[]> {
  const hidden = await findHiddenPaths(git, patches);
  const asked = new Set(
    patches.filter((patch) => patch.files.some((file) => isHidden(file, hidden))).map(({ commit }) => commit),
  );
  if (asked.size === 0) return patches;
  const shown = new Map<string, CommitPatch>();
  const again = pairs.filter(({ commit }) => asked.has(commit));
  for await (const patch of readPairs(git, again, ["--text"])) shown.set(patch.commit, patch);
  return patches.map((patch) => ({
    ...patch,
    files: patch.files.map((file) => {
      const text = shown.get(patch.commit)?.files.find(({ newPath }) => newPath === file.newPath);
      return isHidden(file, hidden) && text !== undefined ? text : file;
    }),
  }));
}

/** Of the paths that git held for binary those of which attributes say so; the others are binary by their content. */
async function findHiddenPaths(git: Git, patches: readonly CommitPatch[]): Promise<ReadonlySet<string>> {
  const paths = new Set(
    patches.flatMap(({ files }) => files.flatMap(({ binary, newPath }) => (binary && newPath) || [])),
  );
  if (paths.size === 0) return new Set();
  const input = [...paths].map((path) => `${path}\0`).join("");
  const { stdout } = await git.run(["check-attr", "--stdin", "-z", "diff"], {
    stdin: input,
    okCodes: [0, 128],
  });
  const fields = stdout.toString("utf8").split("\0");
  const hidden = new Set<string>();
  for (let at = 0; at + 2 < fields.length; at += 3)
    if (fields[at + 2] !== "unspecified") hidden.add(fields[at] ?? "");
  return hidden;
}

function isHidden({ binary, newPath }: FilePatch, hidden: ReadonlySet<string>): boolean {
  return binary && newPath !== undefined && hidden.has(newPath);
}

function hasBinary({ files }: CommitPatch): boolean {
  return files.some(({ binary, newPath }) => binary && newPath !== undefined);
}

/** What the index holds against a commit or tree, of these paths or of all; `git` is bound to that index. */
export async function readIndexPatch(
  git: Git,
  against: Oid,
  paths: readonly RepoPath[] = [],
): Promise<readonly FilePatch[]> {
  const args = ["--literal-pathspecs", "diff-index", "--cached", ...patchOptions, against, "--", ...paths];
  for await (const patch of runPatch(git, args, undefined)) return patch.files;
  return [];
}

const patchOptions = [
  "-p",
  "-U0",
  "-M",
  "-l1000",
  "--no-color",
  "--no-ext-diff",
  "--no-textconv",
  "--indent-heuristic",
  "--diff-algorithm=myers",
  "--inter-hunk-context=0",
  "--ignore-submodules=none",
  "--src-prefix=a/",
  "--dst-prefix=b/",
  "--no-relative",
];

async function firstParents(git: Git, commits: readonly Oid[]): Promise<ReadonlyMap<string, string>> {
  const text = await git.text(["rev-list", "--parents", "--no-walk=unsorted", "--stdin"], {
    stdin: `${commits.join("\n")}\n`,
  });
  return new Map(text.split("\n").map((line) => line.split(" ") as [string, string]));
}

async function* runPatch(
  git: Git,
  args: readonly string[],
  stdin: string | undefined,
): AsyncGenerator<CommitPatch> {
  // names that are not UTF-8 come quoted whatever the user prefers: only so their bytes are told
  const child = git.start(["-c", "core.quotePath=true", ...args]);
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (piece: string) => {
    stderr = (stderr + piece).slice(-4000);
  });
  child.stdin.on("error", () => undefined);
  child.stdin.end(stdin ?? "");
  const parser = new PatchParser();
  try {
    for await (const piece of child.stdout as AsyncIterable<Buffer>) yield* parser.push(piece);
    const { code, signal } = await child.exited;
    if (code !== 0) throw gitFailed(args, { code, signal, stderr });
    yield* parser.end(stdin === undefined);
  } finally {
    child.kill("SIGKILL");
  }
}
