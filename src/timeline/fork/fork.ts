import { basename, dirname, join } from "node:path";
import { KeyframeError } from "../../base/errors.ts";
import { readMomentOwners } from "../../checkpoints/capture/moment-owners.ts";
import {
  type ConversationPlan,
  planConversations,
  planCut,
} from "../../checkpoints/rewind/conversation-rewind.ts";
import { type Git, openGit } from "../../git/git.ts";
import type { Oid, RepoPath } from "../../git/ids.ts";
import { openObjectReader } from "../../git/objects/objects.ts";
import { mustFindRepository } from "../../git/repository.ts";
import { openWorkTreeIndex } from "../../git/worktree/worktree-index.ts";
import type { JournalDeps } from "../../journal/log/journal.ts";
import type { PathHead } from "../../journal/path-state.ts";
import { type HeadWithContent, restorePendingHeads } from "../../journal/pending/pending-heads.ts";
import { fault } from "../../system/fault.ts";
import type { CopyTree } from "../../system/files/copy-tree.ts";
import type { Processes } from "../../system/process/processes.ts";
import { isForkName } from "../fork-name.ts";
import { planRunCut, runOfMoment } from "../machines/run-conversation.ts";
import type { Moment } from "../moment.ts";
import { copyConversation } from "./copy-conversation.ts";
import { type ForkedSession, type ForkRecord, readFork, writeFork } from "./fork-record.ts";
import { copyPersonalPaths, listPersonalPaths } from "./personal-files.ts";

export interface ForkDeps extends JournalDeps {
  readonly processes: Processes;
  readonly env: NodeJS.ProcessEnv;
  readonly copyTree: CopyTree;
}

export interface ForkRequest {
  readonly name: string;
  /** Where the worktree is made; must not exist. */
  readonly path: string;
}

export interface Fork extends ForkRecord {
  /** Paths whose pending owners were restored. */
  readonly owned: readonly RepoPath[];
  /** Ignored and personal files that were copied. */
  readonly copied: readonly RepoPath[];
  /** What the fork lacks, and why. */
  readonly problems: readonly string[];
}

/** Where forks are made unless another path is given: beside the repository, never inside. */
export function defaultForkPath({ repository }: Git, name: string): string {
  const main = repository.workTree ?? repository.gitDir;
  const top = repository.gitDir === repository.commonDir ? main : dirname(repository.commonDir);
  return join(dirname(top), `${basename(top)}.forks`, name);
}

/**
 * Makes a worktree that is a moment: its files on a branch of their own at the commit of that moment, the owners that
 * were pending, and a copy of each conversation under an id of its own. The present worktree is only read.
 * @throws KeyframeError `usage`, `refused`
 */
export async function forkMoment(
  git: Git,
  deps: ForkDeps,
  moment: Moment,
  request: ForkRequest,
): Promise<Fork> {
  const base = mustHaveBase(moment);
  mustBeFree(git, deps, request);
  const record: ForkRecord = {
    version: 1,
    name: request.name,
    state: "begun",
    moment: moment.id,
    title: moment.title,
    at: new Date(deps.clock.nowMs()).toISOString(),
    path: request.path,
    branch: `refs/heads/keyframe/${request.name}`,
    sessions: [],
  };
  const personal = await listPersonalPaths(git, deps.files);
  writeFork(git.repository, deps.files, record);
  fault("fork:after-record");
  await addWorktree(git, record, base);
  fault("fork:after-worktree");
  const fork = openGit(mustFindRepository(request.path, deps), deps.processes, deps.env);
  const tree = (await fork.text(["rev-parse", "--verify", `${moment.commit}^{tree}`])) as Oid;
  await checkOutMoment(fork, deps, { tree, indexTree: base });
  fault("fork:after-files");
  const copied = copyPersonalPaths(deps, personal, { from: git.repository.workTree ?? "", to: request.path });
  const heads = readMomentOwners(git.repository, deps.files, moment.owners ?? "");
  const owned = await restoreMomentOwners(git, deps, { fork, heads, commit: moment.commit, base });
  fault("fork:after-owners");
  const { sessions, problems } = await copyConversations(git, deps, { moment, path: request.path });
  const done: ForkRecord = { ...record, state: "done", sessions };
  writeFork(git.repository, deps.files, done);
  return { ...done, owned, copied, problems };
}

function mustHaveBase({ base, id }: Moment): Oid {
  if (base !== "initial") return base;
  throw new KeyframeError("refused", `moment ${id} has no commit to begin a branch from`, {
    hint: "make a first commit, then fork a later moment",
  });
}

function mustBeFree({ repository }: Git, { files }: ForkDeps, { name, path }: ForkRequest): void {
  if (!isForkName(name)) {
    throw new KeyframeError("usage", `not a name for a fork: ${JSON.stringify(name.slice(0, 100))}`, {
      hint: "use letters, digits, dots, dashes and underscores",
    });
  }
  const known = readFork(repository, files, name);
  if (known !== undefined) {
    throw new KeyframeError("refused", `a fork named ${name} exists already`, {
      hint: `choose another --name, or remove it: \`keyframe fork --remove ${name}\``,
    });
  }
  if (files.statIfExists(path) !== undefined) {
    throw new KeyframeError("refused", `${path} exists already`, { hint: "choose another --path" });
  }
}

/** Hooks of the user's own stay out: nothing is checked out that they could be about. */
async function addWorktree(git: Git, { path, branch }: ForkRecord, base: Oid): Promise<void> {
  const args = ["-c", "core.hooksPath=/dev/null", "worktree", "add", "--quiet", "--no-checkout"];
  await git.run([...args, "-b", branch.slice("refs/heads/".length), path, base]);
}

/** The files of a tree in a new worktree, and an index with other content: `git status` shows the difference. */
export async function checkOutMoment(
  fork: Git,
  { files }: Pick<ForkDeps, "files">,
  { tree, indexTree }: { readonly tree: Oid; readonly indexTree: Oid },
): Promise<void> {
  const index = openWorkTreeIndex(fork, files);
  files.makeFolder(join(fork.repository.gitDir, "keyframe", "snapshot"));
  await index.load(tree);
  const listed = await fork.run(["ls-tree", "-r", "-z", "--name-only", "--full-tree", tree]);
  await index.checkOut(listed.stdout.toString("utf8").split("\0").filter(Boolean) as RepoPath[]);
  const theirs = join(fork.repository.gitDir, "index");
  files.replaceWithoutSync(theirs, index.bytes(), { mode: 0o644 });
  // what git knows of files that both have stays known: they are not read again
  await fork.run(["read-tree", "-m", indexTree]);
}

/** Puts owners that were pending at a moment into the journal of a new worktree. Returns the paths. */
export async function restoreMomentOwners(
  git: Git,
  deps: ForkDeps,
  moment: {
    readonly fork: Git;
    readonly heads: readonly PathHead[];
    /** Holds the files that the owners are of. */
    readonly commit: Oid;
    readonly base: Oid;
  },
): Promise<RepoPath[]> {
  const { fork, commit, base } = moment;
  if (moment.heads.length === 0) return [];
  const reader = openObjectReader(git);
  try {
    const heads = await Promise.all(
      moment.heads.map(async (head): Promise<HeadWithContent> => {
        const blob = await reader.read(`${commit}:${head.path}`);
        return { head, content: blob?.type === "blob" ? blob.content : null };
      }),
    );
    return restorePendingHeads(deps, fork.repository, { base, heads });
  } finally {
    await reader.close();
  }
}

async function copyConversations(
  git: Git,
  deps: ForkDeps,
  { moment, path }: { readonly moment: Moment; readonly path: string },
): Promise<{ readonly sessions: ForkedSession[]; readonly problems: string[] }> {
  const plan = await planOf(git, deps, moment);
  const directory = deps.files.realPathIfExists(path) ?? path;
  const sessions: ForkedSession[] = [];
  const problems = [...plan.problems];
  if (moment.untaken > 0) problems.push(`${moment.untaken} files were too large for the snapshot`);
  for (const step of plan.steps) {
    const { copied, problem } = await copyConversation(git, deps, { step, directory });
    if (copied !== undefined) sessions.push(copied);
    else problems.push(problem);
  }
  return { sessions, problems };
}

async function planOf(git: Git, deps: ForkDeps, moment: Moment): Promise<ConversationPlan> {
  const run = runOfMoment(moment);
  const plans: ConversationPlan[] = moment.sessions.map((session) =>
    run === undefined
      ? planCut(git, deps, { ...session, turn: session.turn ?? 0 })
      : planRunCut(git.repository, deps.files, { run, session }),
  );
  for (const id of moment.checkpoints) {
    const { at, title, commit } = moment;
    plans.push(await planConversations(git, deps, { kind: "checkpoint", id, at, label: title, commit }));
  }
  return {
    steps: plans.flatMap(({ steps }) => steps),
    problems: plans.flatMap(({ problems }) => problems),
  };
}
