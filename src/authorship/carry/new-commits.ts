import { join } from "node:path";
import type { Git } from "../../git/git.ts";
import { isOid, type Oid } from "../../git/ids.ts";
import { parseTips, tipsArguments } from "../../git/refs/tips.ts";
import { readGitState } from "../../git/worktree/git-state.ts";
import type { Files } from "../../system/files/files.ts";

/** Commits of one settling that are looked at, the newest first; older ones are left to `doctor`. */
const maxCommits = 1000;
/** The same where nothing was ever looked at. */
const maxFirstCommits = 50;

/*
 * <common dir>/keyframe/carry/examined      ids of the tips whose commits were looked at, one a line
 * <git dir>/keyframe/carry-mark             how git's files looked then, in this worktree
 */

export interface NewCommits {
  /** Oldest first; merges are not among them. */
  readonly commits: readonly Oid[];
  /** To be called when what was found is written. */
  readonly accept: () => void;
}

/**
 * Commits that came to some branch since the last look, whoever made them and however: no hook is needed. Where no ref
 * has moved that costs a few looks at files.
 */
export async function findNewCommits(git: Git, files: Files): Promise<NewCommits> {
  const { repository } = git;
  const markPath = join(repository.gitDir, "keyframe", "carry-mark");
  const { mark } = readGitState(repository, files);
  const seenMark = files.readIfExists(markPath)?.toString("utf8");
  if (seenMark === mark) return { commits: [], accept: () => undefined };
  const examinedPath = join(repository.commonDir, "keyframe", "carry", "examined");
  const examined = files.readIfExists(examinedPath)?.toString("latin1").split("\n").filter(isOid);
  const tips = await listTips(git);
  const commits = await listBetween(git, tips, examined);
  return {
    commits,
    accept() {
      files.makeFolder(join(examinedPath, ".."));
      files.replaceWithoutSync(examinedPath, Buffer.from(tips.map((oid) => `${oid}\n`).join("")));
      files.replaceWithoutSync(markPath, Buffer.from(mark));
    },
  };
}

async function listTips(git: Git): Promise<Oid[]> {
  const [refs, head] = await Promise.all([
    git.text(tipsArguments()),
    git.run(["rev-parse", "--verify", "--quiet", "HEAD"], { okCodes: [0, 1, 128] }),
  ]);
  return [...new Set([...parseTips(refs), head.stdout.toString("latin1").trim()])].filter(isOid);
}

async function listBetween(
  git: Git,
  tips: readonly Oid[],
  examined: readonly Oid[] | undefined,
): Promise<Oid[]> {
  if (tips.length === 0) return [];
  const limit = examined === undefined ? maxFirstCommits : maxCommits;
  const revisions = [...tips, ...(examined ?? []).map((oid) => `^${oid}`)];
  const args = [
    "rev-list",
    "--topo-order",
    "--no-merges",
    "--ignore-missing",
    `--max-count=${limit}`,
    "--stdin",
  ];
  const result = await git.run(args, { stdin: `${revisions.join("\n")}\n`, okCodes: [0, 128] });
  return result.stdout.toString("latin1").split("\n").filter(isOid).reverse();
}
