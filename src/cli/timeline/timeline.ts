import type { Moment } from "../../timeline/moment.ts";
import { changedFilesOf } from "../../timeline/moments/changed-files.ts";
import { mustFindMoment } from "../../timeline/moments/find-moment.ts";
import { listMoments } from "../../timeline/moments/list-moments.ts";
import type { CliContext } from "../command/context.ts";
import { openRepositoryGit } from "../command/open-repository.ts";
import { settleFirst } from "../command/settle-first.ts";
import { firstLine, localTime } from "../output/checkpoint-text.ts";
import { formatTable, printable } from "../output/terminal.ts";
import { showMoment } from "./show-moment.ts";
import type { TimelineFlags } from "./timeline-command.ts";

const defaultLimit = 50;

/** `keyframe timeline [moment]` */
export async function timeline(this: CliContext, flags: TimelineFlags, text?: string): Promise<void> {
  await settleFirst(this);
  const git = openRepositoryGit(this);
  if (text !== undefined)
    return showMoment(this, git, { moment: await mustFindMoment(git, this.files, text), flags });
  const { session, all = false, limit = defaultLimit } = flags;
  const filter = { all, limit, ...(session === undefined ? {} : { session }) };
  const moments = await this.trace.span("moments", () => listMoments(git, this.files, filter));
  const counts = await changedFilesOf(git, moments);
  if (flags.json) {
    this.terminal.json(moments.map((moment) => ({ ...moment, changedFiles: counts.get(moment.id) ?? null })));
    return;
  }
  if (moments.length === 0) {
    this.terminal.note("no moments yet: commits, turns of agents and `keyframe mark` make them");
    return;
  }
  this.terminal.out(formatTable(moments.map((moment) => describeRow(this, moment, counts.get(moment.id)))));
  if (moments.length === limit) this.terminal.note(`the newest ${limit} moments; --limit shows more`);
}

const symbols = { commit: "●", turn: "│ ○", mark: "│ ◆" } as const;

function describeRow({ terminal }: CliContext, moment: Moment, changed: number | undefined): string[] {
  const { id, kind, at, title } = moment;
  const facts = [
    who(moment),
    changed === undefined ? "" : `${changed} ${changed === 1 ? "file" : "files"}`,
  ].filter(Boolean);
  const width = Math.max(20, terminal.columns - 66);
  return [
    symbols[kind],
    terminal.style("yellow", id),
    localTime(at),
    firstLine(title, width),
    terminal.style("dim", facts.join(", ")),
  ];
}

/** The branch of a commit and its checkpoints, the session of a turn. */
function who({ kind, branch, lane, checkpoints, sessions, worktree }: Moment): string {
  if (kind === "commit") {
    const name = branch === undefined ? "" : printable(branch.replace(/^refs\/heads\//, ""));
    return [name, printable(lane ?? ""), ...checkpoints.map((id) => `checkpoint ${id}`)]
      .filter(Boolean)
      .join(", ");
  }
  const agents = sessions.map(({ tool, session }) => `${printable(tool)} ${printable(session).slice(0, 8)}`);
  return [...agents, worktree ? `in ${printable(worktree)}` : ""].filter(Boolean).join(", ");
}
