import { parseRewrites } from "../../authorship/settle/rewritten-commits.ts";
import { cleanLine } from "../../base/text/clean-text.ts";
import type { FinishedCheckpoint } from "../../checkpoints/commit/finish-commit.ts";
import { openGit } from "../../git/git.ts";
import type { Repository } from "../../git/repository.ts";
import type { Machine } from "../../system/machine/machine.ts";
import { displayNameOf } from "../../transcripts/agent-names.ts";
import { settleCommits } from "../../workflows/settle-and-finish.ts";
import { isQuietGit } from "./quiet-git.ts";

/** Which of git's hooks this is (undefined: an agent's), and what git tells its `post-rewrite` hook. */
export interface SettleOccasion {
  readonly hook: string | undefined;
  readonly rewritten: string;
}

/** What a git hook does. */
export async function settleInHook(
  repository: Repository,
  machine: Machine,
  { hook, rewritten }: SettleOccasion,
): Promise<void> {
  const git = openGit(repository, machine.processes);
  const options = { rewrites: parseRewrites(rewritten), isCommitHook: hook === "post-commit" };
  const { linked } = await settleCommits(git, machine, options);
  // a person at a terminal is told; scripts and agents, which read all that git prints, are not
  if (hook !== "post-commit" || linked.length === 0 || process.stderr.isTTY !== true) return;
  if (isQuietGit(machine.processTable, "commit")) return;
  for (const checkpoint of linked) process.stderr.write(`keyframe: ${describeLink(checkpoint)}\n`);
}

function describeLink({ id, tools, files }: FinishedCheckpoint): string {
  const count = `${files} ${files === 1 ? "file" : "files"}`;
  return `linked to checkpoint ${id} (${cleanLine(tools.map(displayNameOf).join(", "))}, ${count})`;
}
