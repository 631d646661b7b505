import { resumeCommandOf } from "../../agents/conversations/conversation-place.ts";
import { KeyframeError } from "../../base/errors.ts";
import { type BranchMove, nameOfHead } from "../../checkpoints/rewind/head-move.ts";
import { type RewindPlan, rewind, undoRewind } from "../../checkpoints/rewind/rewind.ts";
import { listRewindPoints, mustFindPoint, type RewindPoint } from "../../checkpoints/rewind/rewind-points.ts";
import type { Git } from "../../git/git.ts";
import { isSwitchedOff } from "../../state/switch.ts";
import type { CliContext } from "../command/context.ts";
import { openRepositoryGit } from "../command/open-repository.ts";
import { firstLine, localTime } from "../output/checkpoint-text.ts";
import { formatTable, printable } from "../output/terminal.ts";
import type { RewindFlags } from "./rewind-command.ts";

const maxListedCommits = 20;

/** `keyframe rewind` */
export async function rewindCommandRun(this: CliContext, flags: RewindFlags): Promise<void> {
  const git = openRepositoryGit(this);
  if (git.repository.workTree === undefined) {
    throw new KeyframeError("refused", "a bare repository has no files to rewind");
  }
  mustFitTogether(flags);
  const options = { dryRun: flags.dryRun === true, force: flags.force === true };
  if (flags.undo) return printPlan(this, await undoRewind(git, this, options), flags);
  if (flags.to === undefined || flags.list) return list(this, git, flags);
  if (isSwitchedOff(git.repository, this.files)) {
    throw new KeyframeError("refused", "Keyframe is off in this repository", {
      hint: "run `keyframe enable`",
    });
  }
  const point = await mustFindPoint(git, flags.to);
  const only = flags.files === true || flags.conversation === true;
  const parts = {
    files: !only || flags.files === true,
    conversation: !only || flags.conversation === true,
    head: flags.reset === true,
  };
  const plan = await rewind(git, this, { ...options, point, parts });
  printPlan(this, plan, { ...flags, point });
}

/** @throws KeyframeError `usage` */
function mustFitTogether(flags: RewindFlags): void {
  const isGoing = flags.to !== undefined || flags.list || flags.files || flags.conversation || flags.reset;
  if (flags.undo && isGoing) {
    throw new KeyframeError("usage", "--undo goes with --force, --dry-run and --json only");
  }
  if (flags.reset && (flags.to === undefined || flags.list)) {
    throw new KeyframeError("usage", "--reset needs --to", { hint: "see `keyframe rewind --list`" });
  }
  if (flags.reset && flags.conversation && !flags.files) {
    throw new KeyframeError("usage", "--reset moves the files as well: leave --conversation out");
  }
  if (flags.force && !flags.reset && !flags.undo) {
    throw new KeyframeError("usage", "--force goes with --reset or --undo only");
  }
}

async function list(context: CliContext, git: Git, { json }: RewindFlags): Promise<void> {
  const points = await listRewindPoints(git);
  if (json) return context.terminal.json(points.map(describePoint));
  if (points.length === 0) {
    context.terminal.note("nothing to go back to yet: points are made at the end of an agent's turns");
    return;
  }
  const rows = points.map((point) => [
    context.terminal.style("yellow", point.id),
    localTime(point.at),
    point.kind,
    firstLine(point.label, Math.max(20, context.terminal.columns - 50)),
  ]);
  context.terminal.out(formatTable(rows));
}

function describePoint(point: RewindPoint) {
  const { kind, id, at, label } = point;
  if (point.kind === "checkpoint" || point.kind === "commit")
    return { kind, id, at, label, commit: point.commit };
  if (point.kind === "mark") {
    const { base, untaken, sessions } = point.mark;
    return { kind, id, at, label, base, sessions, filesTooLarge: untaken };
  }
  const { session, tool, turn, turnId, base, untaken } = point.snapshot;
  return { kind, id, at, label, session, agent: tool, turn, turnId, base, filesTooLarge: untaken };
}

function printPlan(
  context: CliContext,
  plan: RewindPlan,
  { json, dryRun, point }: RewindFlags & { readonly point?: RewindPoint },
): void {
  const { terminal } = context;
  const { files, conversation, head } = plan;
  const moved = conversation.steps.filter(({ unchanged }) => !unchanged);
  const commands = conversation.steps.flatMap(({ tool, session }) => resumeCommandOf(tool, session) ?? []);
  if (json) {
    terminal.json({
      applied: dryRun !== true,
      safety: plan.safety ?? null,
      head: head === undefined ? null : { ...head, ref: head.ref ?? null },
      files: files.steps,
      kept: files.kept,
      conversations: conversation.steps.map(({ session, path, unchanged, source }) => ({
        session,
        path,
        unchanged,
        redacted: source.kind === "stored" || source.redacted,
      })),
      problems: conversation.problems,
      continueWith: commands,
    });
    return;
  }
  if (dryRun) terminal.out("Would change:");
  const rows = [
    ...files.steps.map(({ path, action }) => [`  ${action}`, printable(path)]),
    ...moved.map(({ session, path }) => ["  conversation", `${printable(session)}  ${printable(path)}`]),
  ];
  if (head !== undefined) printHead(context, head, dryRun === true);
  if (rows.length > 0) terminal.out(formatTable(rows));
  else if (head === undefined) terminal.out("Nothing to change.");
  for (const { path, why } of files.kept) terminal.note(`kept ${printable(path)}: ${why}`);
  for (const problem of conversation.problems) terminal.note(printable(problem));
  if (dryRun) return;
  if (point !== undefined) terminal.out(`Rewound to ${point.id}. Take it back with: keyframe rewind --undo`);
  for (const command of commands) terminal.out(`Continue with: ${command}`);
}

/** Where HEAD goes, and what its branch no longer holds then. */
function printHead({ terminal }: CliContext, head: BranchMove, dryRun: boolean): void {
  const { ref, from, to, leaves, joins } = head;
  const name = nameOfHead(ref);
  if (from === to) {
    terminal.out(`  ${printable(name)} stays, the index goes back`);
    return;
  }
  terminal.out(`  ${printable(name)}  ${from.slice(0, 12)} -> ${to.slice(0, 12)}`);
  const rows = leaves
    .slice(0, maxListedCommits)
    .map(({ commit, subject, pushed }) => [
      `  ${dryRun ? "leaves" : "left"}`,
      terminal.style("yellow", commit.slice(0, 12)),
      pushed ? "pushed" : "",
      firstLine(subject, Math.max(20, terminal.columns - 40)),
    ]);
  if (rows.length > 0) terminal.out(formatTable(rows));
  if (leaves.length > maxListedCommits)
    terminal.out(`  ... and ${leaves.length - maxListedCommits} more commits (--json lists all)`);
  if (joins > 0)
    terminal.out(`  ${joins} ${joins === 1 ? "commit comes" : "commits come"} to ${printable(name)}`);
  const pushed = leaves.filter((each) => each.pushed).length;
  if (dryRun && pushed > 0)
    terminal.note(`needs --force: a remote holds ${pushed} of the commits that leave ${printable(name)}`);
}
