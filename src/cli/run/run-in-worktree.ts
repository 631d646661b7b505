import { dirname } from "node:path";
import { KeyframeError } from "../../base/errors.ts";
import { shellQuote } from "../../base/text/shell-words.ts";
import type { Git } from "../../git/git.ts";
import { nodeCopyTree } from "../../system/files/copy-tree.ts";
import { defaultForkPath, type ForkDeps } from "../../timeline/fork/fork.ts";
import { freeForkName } from "../../timeline/fork/fork-record.ts";
import {
  dropRunWorktree,
  makeRunWorktree,
  type RunWorktree,
  readRunWork,
} from "../../workflows/run/run-worktree.ts";
import type { CliContext } from "../command/context.ts";
import { printable } from "../output/terminal.ts";
import type { RunRequest } from "./run-request.ts";

/** Runs a program in a worktree of its own and says what it left there. */
export async function runInWorktree(
  context: CliContext,
  git: Git,
  {
    request,
    name: wanted,
    run,
  }: {
    readonly request: RunRequest;
    readonly name: string | undefined;
    readonly run: (there: RunRequest) => Promise<void>;
  },
): Promise<void> {
  const deps: ForkDeps = { ...context, copyTree: nodeCopyTree };
  const name = wanted ?? freeForkName(git.repository, context.files, nameFor(request.tool));
  context.files.makeFolder(dirname(defaultForkPath(git, name)));
  const worktree = await context.trace.span("worktree", () =>
    makeRunWorktree(git, deps, { name, cwd: context.cwd }),
  );
  const { path } = worktree.fork;
  context.terminal.note(`keyframe: ${printable(request.tool)} works in ${printable(path)}`);
  try {
    await run({ ...request, repository: worktree.repository, cwd: worktree.cwd });
  } catch (error) {
    const neverStarted = error instanceof KeyframeError && error.code === "program-missing";
    if (neverStarted) await dropRunWorktree(git, deps, worktree);
    throw error;
  }
  await tell(context, git, { deps, worktree });
}

/** A name for a branch from one of a program. */
function nameFor(tool: string): string {
  return (
    tool
      .replace(/[^A-Za-z0-9_-]+/g, "-")
      .replace(/^[-_]+|-+$/g, "")
      .slice(0, 40) || "run"
  );
}

async function tell(
  { terminal }: CliContext,
  git: Git,
  { deps, worktree }: { readonly deps: ForkDeps; readonly worktree: RunWorktree },
): Promise<void> {
  const { name, path, branch } = worktree.fork;
  const { commits, uncommitted } = await readRunWork(git, deps, worktree);
  const short = branch.slice("refs/heads/".length);
  const files = uncommitted === 1 ? "1 uncommitted file" : `${uncommitted} uncommitted files`;
  terminal.note(`keyframe: ${commits === 1 ? "1 commit" : `${commits} commits`} on ${short}, ${files}`);
  if (uncommitted > 0) terminal.note(`  Commit there: cd ${shellQuote(printable(path))}`);
  terminal.note(`  Bring it here: git merge ${shellQuote(short)}`);
  terminal.note(`  Take it away: keyframe fork --remove ${name}`);
}
