import { formatBytes } from "../../base/bytes.ts";
import { shellQuote } from "../../base/text/shell-words.ts";
import { type RewindPlan, rewind } from "../../checkpoints/rewind/rewind.ts";
import { commitPoint, listRewindPoints } from "../../checkpoints/rewind/rewind-points.ts";
import type { Git } from "../../git/git.ts";
import type { Moment, MomentMachine } from "../../timeline/moment.ts";
import { describeMoment, type MomentDetails } from "../../timeline/moments/describe-moment.ts";
import type { TestCounts } from "../../transcripts/scan/test-results.ts";
import type { CliContext } from "../command/context.ts";
import { localTime } from "../output/checkpoint-text.ts";
import { formatTable, printable } from "../output/terminal.ts";
import type { TimelineFlags } from "./timeline-command.ts";

const maxListedFiles = 20;

/** Prints one moment: what it holds, and what a restore would overwrite here. */
export async function showMoment(
  context: CliContext,
  git: Git,
  { moment, flags }: { readonly moment: Moment; readonly flags: TimelineFlags },
): Promise<void> {
  const details = await describeMoment(git, context.files, moment);
  const restore = await planOf(context, git, moment);
  if (flags.json) {
    const files = restore?.files;
    const plan = files === undefined ? null : { files: files.steps, kept: files.kept };
    context.terminal.json({ ...moment, ...details, restore: plan });
    return;
  }
  printMoment(context, moment, details);
  printRestore(context, moment, restore);
}

function printMoment(
  { terminal }: CliContext,
  moment: Moment,
  { changes, owners, tests, continueWith }: MomentDetails,
): void {
  const { id, kind, at, title, base, branch, checkpoints, untaken } = moment;
  terminal.out(`${terminal.style("yellow", id)}  ${kind}  ${localTime(at)}`);
  terminal.out(printable(title));
  const rows = [
    [
      "HEAD",
      base === "initial"
        ? "before the first commit"
        : `${base.slice(0, 12)}${branch === undefined ? "" : ` (${printable(branch.replace(/^refs\/heads\//, ""))})`}`,
    ],
    [
      "files",
      moment.exact ? "exact, untracked files included" : "as committed; untracked files are not part of it",
    ],
    ...owners.map(({ label, lines, files }) => [
      "pending",
      `${lines} ${lines === 1 ? "line" : "lines"} in ${files} ${files === 1 ? "file" : "files"} of ${printable(label)}`,
    ]),
    ...(owners.length > 0 ? [] : [["pending", "no lines"]]),
    ...continueWith.map(({ session, command }) => ["session", command ?? printable(session)]),
    ...(continueWith.length > 0 ? [] : [["session", "none"]]),
    ["tests", tests === undefined ? "none seen" : testsText(tests)],
    ["machine", moment.machine === undefined ? "none" : machineText(moment.machine)],
    ...checkpoints.map((checkpoint) => ["checkpoint", checkpoint]),
    ...(untaken === 0 ? [] : [["left out", `${untaken} new files that were too large`]]),
  ];
  terminal.out("");
  terminal.out(formatTable(rows));
  if (changes.length === 0) return;
  terminal.out(`\nChanged files: ${changes.length}`);
  terminal.out(
    formatTable(changes.slice(0, maxListedFiles).map(({ status, path }) => [`  ${status}`, printable(path)])),
  );
  if (changes.length > maxListedFiles)
    terminal.out(`  ... and ${changes.length - maxListedFiles} more (--json lists all)`);
}

function testsText({ passed, failed, skipped }: TestCounts): string {
  return `${passed} passed, ${failed} failed${skipped === 0 ? "" : `, ${skipped} skipped`} when last seen`;
}

function machineText({ run, snapshot, sizeBytes }: MomentMachine): string {
  if (snapshot === undefined) return `of run ${printable(run)}, not kept`;
  const size = sizeBytes === undefined ? "" : `, ${formatBytes(sizeBytes)}`;
  return `${snapshot} of run ${printable(run)}${size}: keyframe sandbox run ${snapshot}`;
}

function printRestore({ terminal }: CliContext, { id }: Moment, plan: RewindPlan | undefined): void {
  if (plan === undefined) {
    terminal.out(`\nFork it: keyframe fork ${shellQuote(id)}`);
    return;
  }
  const { steps } = plan.files;
  terminal.out(
    steps.length === 0
      ? "\nThe files here are those of this moment."
      : `\nA restore changes ${steps.length} ${steps.length === 1 ? "file" : "files"} here:`,
  );
  const shown = steps.slice(0, maxListedFiles).map(({ path, action }) => [`  ${action}`, printable(path)]);
  if (shown.length > 0) terminal.out(formatTable(shown));
  if (steps.length > maxListedFiles) terminal.out(`  ... and ${steps.length - maxListedFiles} more`);
  terminal.out(
    `Restore it: keyframe rewind --to ${shellQuote(id)}    Fork it: keyframe fork ${shellQuote(id)}`,
  );
}

/** Undefined where this worktree cannot go back to it: it has no files, or the snapshot is another worktree's. */
async function planOf(context: CliContext, git: Git, moment: Moment): Promise<RewindPlan | undefined> {
  if (git.repository.workTree === undefined) return undefined;
  const points = await listRewindPoints(git);
  const listed = points.find((each) =>
    each.kind === "checkpoint" ? each.commit === moment.commit : each.id === moment.id,
  );
  const point = listed ?? (moment.kind === "commit" ? await commitPoint(git, moment.commit) : undefined);
  if (point === undefined) return undefined;
  return rewind(git, context, { point, parts: { files: true, conversation: false }, dryRun: true });
}
