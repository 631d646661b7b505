// A process for the crash tests: does one step in a repository, and is killed at a fault point of it.
import { claudeAdapter } from "../../src/agents/hooks/claude.ts";
import { settle } from "../../src/authorship/settle/settle.ts";
import { finishCommits } from "../../src/checkpoints/commit/finish-commit.ts";
import { rewind, undoRewind } from "../../src/checkpoints/rewind/rewind.ts";
import { mustFindPoint } from "../../src/checkpoints/rewind/rewind-points.ts";
import { advanceSession, isSessionEvent } from "../../src/checkpoints/sessions/events.ts";
import { onTurnEvent } from "../../src/checkpoints/turn/on-turn-event.ts";
import { hookDeps } from "../../src/cli/hooks/hook-deps.ts";
import { openGit } from "../../src/git/git.ts";
import { mustFindRepository } from "../../src/git/repository.ts";
import { nodeMachine } from "../../src/system/machine/machine.ts";

const [folder = "", step = "", argument = ""] = process.argv.slice(2);
const repository = mustFindRepository(folder, nodeMachine);
const deps = hookDeps(repository);
const git = openGit(repository, deps.processes);

if (step === "stop") {
  const event = claudeAdapter.parsePayload(JSON.parse(argument));
  if (event.kind === "ignored" || event.kind === "refused" || !isSessionEvent(event))
    throw new Error(event.kind);
  const { wants } = advanceSession(event, repository, deps);
  if (wants !== undefined) await onTurnEvent(git, deps, { event, wants });
} else if (step === "finish") {
  await settle(git, deps);
  await finishCommits(git, deps);
} else if (step === "rewind" || step === "reset") {
  const point = await mustFindPoint(git, argument);
  const all = { ...deps, env: process.env };
  const parts = { files: true, conversation: true, head: step === "reset" };
  await rewind(git, all, { point, parts, dryRun: false });
} else if (step === "undo") {
  await undoRewind(git, { ...deps, env: process.env }, { dryRun: false });
}
