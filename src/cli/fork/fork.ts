import { dirname, resolve } from "node:path";
import { KeyframeError } from "../../base/errors.ts";
import type { Git } from "../../git/git.ts";
import { isSwitchedOff } from "../../state/switch.ts";
import { nodeCopyTree } from "../../system/files/copy-tree.ts";
import {
  defaultForkPath,
  type Fork,
  type ForkDeps,
  type ForkRequest,
  forkMoment,
} from "../../timeline/fork/fork.ts";
import { type ForkRecord, freeForkName, listForks } from "../../timeline/fork/fork-record.ts";
import { planRemoveFork, removeFork } from "../../timeline/fork/remove-fork.ts";
import type { Moment } from "../../timeline/moment.ts";
import { mustFindMoment } from "../../timeline/moments/find-moment.ts";
import type { CliContext } from "../command/context.ts";
import { openRepositoryGit } from "../command/open-repository.ts";
import { firstLine, localTime } from "../output/checkpoint-text.ts";
import { formatTable, printable } from "../output/terminal.ts";
import type { ForkFlags } from "./fork-command.ts";
import { forkIntoMachines } from "./fork-into-machines.ts";
import { printFork, withCommands } from "./print-fork.ts";
import { runPrompts } from "./run-prompts.ts";

const maxForks = 32;

/** `keyframe fork` */
export async function fork(
  this: CliContext,
  flags: ForkFlags,
  text?: string,
  ...more: string[]
): Promise<void> {
  if (more.length > 0 && flags.run === undefined)
    throw new KeyframeError("usage", `one moment is forked at a time, got ${more.length + 1}`);
  const git = openRepositoryGit(this);
  const deps: ForkDeps = { ...this, copyTree: nodeCopyTree };
  if (flags.list) return list(this, listForks(git.repository, this.files), flags);
  if (text === undefined) {
    throw new KeyframeError(
      "usage",
      flags.remove ? "--remove needs the name of a fork" : "name the moment to fork",
      {
        hint: flags.remove ? "see `keyframe fork --list`" : "see `keyframe timeline`",
      },
    );
  }
  if (flags.remove) return remove(this, git, { deps, name: text, flags });
  if (git.repository.workTree === undefined)
    throw new KeyframeError("refused", "a bare repository has no worktree to fork");
  if (isSwitchedOff(git.repository, this.files))
    throw new KeyframeError("refused", "Keyframe is off in this repository", {
      hint: "run `keyframe enable`",
    });
  const moment = await mustFindMoment(git, this.files, text);
  if (flags.in === "sandbox") return forkIntoMachines(this, git, { moment, flags, more });
  const requests = planRequests(this, git, { moment, flags });
  if (flags.dryRun) return printRequests(this, moment, { requests, flags });
  const forks: Fork[] = [];
  for (const request of requests) {
    this.files.makeFolder(dirname(request.path));
    forks.push(await this.trace.span("fork", () => forkMoment(git, deps, moment, request)));
  }
  if (flags.run !== undefined)
    return runPrompts(this, git, { forks, prompts: flags.run, more, json: flags.json === true });
  if (flags.json) return this.terminal.json(forks.map(withCommands));
  for (const each of forks) printFork(this, each);
}

/** One request a fork: `name`, or `name-1`, `name-2`, ... */
function planRequests(
  context: CliContext,
  git: Git,
  { moment, flags }: { readonly moment: Moment; readonly flags: ForkFlags },
): ForkRequest[] {
  const prompts = flags.run?.length ?? 1;
  const { count = prompts } = flags;
  if (count < 1 || count > maxForks)
    throw new KeyframeError("usage", `--count must be from 1 to ${maxForks}, got ${count}`);
  if (prompts > 1 && prompts !== count)
    throw new KeyframeError("usage", `--run was given ${prompts} times for ${count} forks`, {
      hint: "give one prompt for all forks, or one for each",
    });
  if (flags.path !== undefined && count > 1)
    throw new KeyframeError("usage", "--path cannot be combined with --count");
  const base = flags.name ?? freeForkName(git.repository, context.files, moment.id);
  return Array.from({ length: count }, (_, index) => {
    const name = count === 1 ? base : `${base}-${index + 1}`;
    const path = flags.path === undefined ? defaultForkPath(git, name) : resolve(context.cwd, flags.path);
    return { name, path };
  });
}

function printRequests(
  { terminal }: CliContext,
  moment: Moment,
  { requests, flags }: { readonly requests: readonly ForkRequest[]; readonly flags: ForkFlags },
): void {
  if (flags.json) {
    terminal.json({ moment: moment.id, forks: requests });
    return;
  }
  for (const { name, path } of requests)
    terminal.out(`would make ${printable(path)} on branch keyframe/${name} at ${moment.id}`);
}

function list({ terminal }: CliContext, forks: readonly ForkRecord[], { json }: ForkFlags): void {
  if (json) {
    terminal.json(forks);
    return;
  }
  if (forks.length === 0) {
    terminal.note("no forks; `keyframe fork <moment>` makes one");
    return;
  }
  const rows = forks.map(({ name, moment, at, path, state, title }) => [
    terminal.style("yellow", printable(name)),
    localTime(at),
    moment,
    state === "done" ? firstLine(title, 40) : "cut off: remove it and fork again",
    printable(path),
  ]);
  terminal.out(formatTable(rows));
}

async function remove(
  { terminal }: CliContext,
  git: Git,
  { deps, name, flags }: { readonly deps: ForkDeps; readonly name: string; readonly flags: ForkFlags },
): Promise<void> {
  const plan = await planRemoveFork(git, deps, name);
  if (!flags.dryRun) await removeFork(git, deps, { plan, force: flags.force === true });
  const { fork: record, hasWorktree, hasBranch, transcripts, wouldLose } = plan;
  const removed = [
    ...(hasWorktree ? [record.path] : []),
    ...(hasBranch ? [record.branch] : []),
    ...transcripts,
  ];
  if (flags.json) {
    terminal.json({ applied: flags.dryRun !== true, removed, wouldLose });
    return;
  }
  for (const path of removed)
    terminal.out(`${flags.dryRun ? "would remove" : "removed"}  ${printable(path)}`);
  if (flags.dryRun) for (const loss of wouldLose) terminal.note(`needs --force: ${printable(loss)}`);
}
