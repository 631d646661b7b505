import { resolve } from "node:path";
import { checkMessage, prepareCommit } from "../../checkpoints/commit/prepare-commit.ts";
import { openGit } from "../../git/git.ts";
import type { Repository } from "../../git/repository.ts";
import type { Machine } from "../../system/machine/machine.ts";
import { hookDeps } from "./hook-deps.ts";

const maxAncestors = 8;

/** git's `prepare-commit-msg` and `commit-msg` hooks; `args` are what git gives them. */
export async function commitInHook(
  repository: Repository,
  machine: Machine,
  { hook, args }: { readonly hook: string; readonly args: readonly string[] },
): Promise<void> {
  const [message = "", source = "", commit = ""] = args;
  const deps = hookDeps(repository, machine);
  const git = openGit(repository, deps.processes);
  // git names the message from the top of the work tree, where it starts its hooks
  const messagePath = resolve(process.cwd(), message);
  if (hook === "commit-msg") return checkMessage(git, deps, messagePath);
  const indexFile = process.env["GIT_INDEX_FILE"];
  const isAmend = deps.processTable
    .ancestors(maxAncestors)
    .some(({ pid, program }) => program === "git" && deps.processTable.argumentsOf(pid).includes("--amend"));
  await prepareCommit(git, deps, {
    messagePath,
    source,
    commit,
    indexFile: indexFile === undefined ? undefined : resolve(process.cwd(), indexFile),
    hasEditor: process.env["GIT_EDITOR"] !== ":",
    amends: isAmend || (source === "commit" && commit === "HEAD"),
  });
}
