import { resumeCommandOf } from "../../agents/conversations/conversation-place.ts";
import { KeyframeError } from "../../base/errors.ts";
import { type RewindPlan, rewind, undoRewind } from "../../checkpoints/rewind/rewind.ts";
import { listRewindPoints, mustFindPoint, type RewindPoint } from "../../checkpoints/rewind/rewind-points.ts";
import type { Git } from "../../git/git.ts";
import { isSwitchedOff } from "../../state/switch.ts";
import type { CliContext } from "../command/context.ts";
import { openRepositoryGit } from "../command/open-repository.ts";
import { firstLine, localTime } from "../output/checkpoint-text.ts";
import { formatTable, printable } from "../output/terminal.ts";
import type { RewindFlags } from "./rewind-command.ts";

/** `keyframe rewind` */
export async function rewindCommandRun(this: CliContext, flags: RewindFlags): Promise<void> {
  const git = openRepositoryGit(this);
  if (git.repository.workTree === undefined) {
    throw new KeyframeError("refused", "a bare repository has no files to rewind");
  }
  if (flags.undo && (flags.to !== undefined || flags.list || flags.files || flags.conversation)) {
    throw new KeyframeError("usage", "--undo goes with --dry-run and --json only");
  }
  if (flags.undo) return printPlan(this, await undoRewind(git, this, flags.dryRun === true), flags);
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
  };
  const plan = await rewind(git, this, { point, parts, dryRun: flags.dryRun === true });
  printPlan(this, plan, { ...flags, point });
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
  const { files, conversation } = plan;
  const moved = conversation.steps.filter(({ unchanged }) => !unchanged);
  const commands = conversation.steps.flatMap(({ tool, session }) => resumeCommandOf(tool, session) ?? []);
  if (json) {
    terminal.json({
      applied: dryRun !== true,
      safety: plan.safety ?? null,
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
  if (rows.length === 0) terminal.out("Nothing to change.");
  else terminal.out(formatTable(rows));
  for (const { path, why } of files.kept) terminal.note(`kept ${printable(path)}: ${why}`);
  for (const problem of conversation.problems) terminal.note(printable(problem));
  if (dryRun) return;
  if (point !== undefined) terminal.out(`Rewound to ${point.id}. Take it back with: keyframe rewind --undo`);
  for (const command of commands) terminal.out(`Continue with: ${command}`);
}
