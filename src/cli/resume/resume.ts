import { formatBytes } from "../../base/bytes.ts";
import { KeyframeError } from "../../base/errors.ts";
import { shellQuote } from "../../base/text/shell-words.ts";
import type { ResumeTarget } from "../../checkpoints/resume/find-target.ts";
import type { PlannedRestore } from "../../checkpoints/resume/restore-sessions.ts";
import { findElectedRemote, resolveRemote } from "../../git/remote/remote.ts";
import { describeCheckout } from "../../git/worktree/checkout.ts";
import { nodeStreamToFile } from "../../system/files/stream-to-file.ts";
import { resumeConversation } from "../../workflows/resume-conversation.ts";
import type { CliContext } from "../command/context.ts";
import { openRepositoryGit } from "../command/open-repository.ts";
import { openSync } from "../command/sync-context.ts";
import type { ForkFlags } from "../fork/fork-command.ts";
import { forkIntoMachines } from "../fork/fork-into-machines.ts";
import { printable } from "../output/terminal.ts";
import {
  findTurnWithMachine,
  mustSuitMachine,
  printResumedMachine,
  type ResumedMachine,
  resumeMachine,
} from "./resume-machine.ts";

export interface ResumeFlags {
  readonly force?: boolean;
  readonly machine?: boolean;
  readonly name?: string;
  readonly remote?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** `keyframe resume <branch|commit|checkpoint>` */
export async function resume(this: CliContext, flags: ResumeFlags, word: string): Promise<void> {
  mustSuitMachine(flags);
  const git = openRepositoryGit(this);
  const turn = flags.machine ? await findTurnWithMachine(this, git, word) : undefined;
  if (turn !== undefined)
    return forkIntoMachines(this, git, { moment: turn, flags: forkFlags(flags), more: [] });
  const remote =
    flags.remote === undefined ? await findElectedRemote(git) : await resolveRemote(git, flags.remote);
  const { sync, finish } = openSync(this, git);
  const dryRun = flags.dryRun === true;
  try {
    const { target, planned, receivedBytes } = await resumeConversation(
      {
        sync,
        onFetched: finish,
        files: this.files,
        streamToFile: nodeStreamToFile,
        home: homeOf(this.env),
        env: this.env,
        nowSeconds: sync.nowSeconds,
      },
      { word, remote, force: flags.force === true, dryRun },
    );
    if (!flags.json) print(this, target, { planned, receivedBytes, dryRun });
    const machine =
      flags.machine && !dryRun ? await resumeMachine(this, git, { planned, name: flags.name }) : undefined;
    if (flags.json) this.terminal.json(toJson(target, planned, { receivedBytes, applied: !dryRun, machine }));
    else if (machine !== undefined) printResumedMachine(this, machine);
    // something that was asked for is not there
    if (machine !== undefined && "missing" in machine) this.process.exitCode = 1;
    mustHavePlaced(this, planned);
  } finally {
    finish();
  }
}

function forkFlags({ name, dryRun, json }: ResumeFlags): ForkFlags {
  return {
    ...(name === undefined ? {} : { name }),
    ...(dryRun === undefined ? {} : { dryRun }),
    ...(json === undefined ? {} : { json }),
    in: "sandbox",
  };
}

/** Something to continue is what was asked for: exit code 1 where some of it is not there. */
function mustHavePlaced({ process }: CliContext, planned: readonly PlannedRestore[]): void {
  const lost = planned.filter(({ place, standing }) => place === undefined || standing === "no transcript");
  if (lost.length === 0) return;
  if (lost.length < planned.length) {
    process.exitCode = 1;
    return;
  }
  const wasRecorded = lost.some(({ standing }) => standing !== "no transcript");
  throw new KeyframeError(
    wasRecorded ? "unsupported" : "never-recorded",
    wasRecorded
      ? "no agent could be given the conversation"
      : "no transcript was ever recorded: there is nothing to continue",
    { hint: "`keyframe explain` shows what there is" },
  );
}

function homeOf(env: NodeJS.ProcessEnv): string {
  const home = env["HOME"] || env["USERPROFILE"];
  if (home) return home;
  throw new KeyframeError("not-found", "no home directory is set: agents keep their conversations there", {
    hint: "set HOME",
  });
}

function toJson(
  { checkpoints, commit, checkout, newerCommits }: ResumeTarget,
  planned: readonly PlannedRestore[],
  more: {
    readonly receivedBytes: number;
    readonly applied: boolean;
    readonly machine: ResumedMachine | undefined;
  },
) {
  return {
    ...more,
    checkpoints,
    commit: commit?.oid,
    checkout: checkout === undefined ? undefined : describeCheckout(checkout),
    newerCommits,
    sessions: planned.map(({ session, standing, place }) => ({
      checkpoint: session.checkpoint,
      session: session.metadata.sessionId,
      agent: session.metadata.agent,
      standing,
      path: place?.path,
      command: place?.command,
    })),
  };
}

function print(
  { terminal }: CliContext,
  { checkout, commit, newerCommits }: ResumeTarget,
  {
    planned,
    receivedBytes,
    dryRun,
  }: {
    readonly planned: readonly PlannedRestore[];
    readonly receivedBytes: number;
    readonly dryRun: boolean;
  },
): void {
  if (checkout !== undefined)
    terminal.out(`${dryRun ? "Would switch" : "Switched"} to ${printable(describeCheckout(checkout))}`);
  if (newerCommits > 0 && commit !== undefined) {
    terminal.note(
      `The checkpoint is from ${commit.shortOid} (${printable(commit.subject)}); ${newerCommits} newer commits have none`,
    );
  }
  if (receivedBytes > 0) terminal.note(`Received ${formatBytes(receivedBytes)}`);
  for (const { session, standing, place } of planned) {
    const id = printable(session.metadata.sessionId ?? "(no id)");
    if (standing === "no transcript") terminal.note(`! session ${id}: no transcript was ever recorded`);
    else if (place === undefined) {
      terminal.note(
        `! session ${id}: ${printable(session.metadata.agent ?? "its agent")} cannot be given a conversation`,
      );
      terminal.note(
        `  read it with \`keyframe explain ${session.checkpoint} --session ${shellQuote(id)} --raw-transcript\``,
      );
    } else terminal.out(`Session: ${id} (${standing})`);
  }
  const commands = planned.filter(
    ({ place, standing }) => place !== undefined && standing !== "no transcript",
  );
  if (commands.length === 0) return;
  terminal.out("\nTo continue, run:");
  commands.forEach(({ place }, index) => {
    const newest = commands.length > 1 && index === commands.length - 1 ? "  (most recent)" : "";
    terminal.out(`  ${place?.command}${newest}`);
  });
}
