import { type TakenLines, takePendingLines } from "../../authorship/takeover/take-pending.ts";
import { errorText } from "../../base/errors.ts";
import { listSessionStates } from "../../checkpoints/sessions/directory.ts";
import { phaseOf } from "../../checkpoints/sessions/state.ts";
import type { Repository } from "../../git/repository.ts";
import type { CliContext } from "../command/context.ts";
import { printable } from "../output/terminal.ts";
import type { TakeOverPlan } from "./take-over.ts";

/** What peers had under way, and Keyframe goes on with. */
export interface TakenRecords {
  /** Ids of Entire's sessions that have not ended: their states lie where Keyframe keeps its own. */
  readonly sessions: readonly string[];
  /** Lines that are not committed, as git-ai's log knows their owners. */
  readonly lines: TakenLines;
  /** Why lines could not be taken over. */
  readonly problem?: string;
}

/** Takes over what peers that are switched off had under way; with `dryRun` only looks. */
export function takeRecords(
  cli: CliContext,
  repository: Repository,
  { plans, dryRun }: { readonly plans: readonly TakeOverPlan[]; readonly dryRun: boolean },
): TakenRecords {
  const taken = new Set(plans.filter(({ left }) => left === undefined).map(({ peer }) => peer.name));
  // afterwards nobody can say which of the states Entire began
  const isEntireNew = plans.some(({ peer, changes }) => peer.name === "entire" && changes.length > 0);
  const sessions = isEntireNew ? sessionsUnderWay(cli, repository) : [];
  const none: TakenLines = { taken: [], left: [] };
  if (!taken.has("git-ai")) return { sessions, lines: none };
  try {
    return { sessions, lines: takePendingLines(repository, cli, { dryRun }) };
  } catch (error) {
    // the peer is switched off by now, and its log is still there: the same command does the rest
    return { sessions, lines: none, problem: errorText(error) };
  }
}

function sessionsUnderWay(cli: CliContext, repository: Repository): string[] {
  return listSessionStates(cli, repository).flatMap(({ id, state }) =>
    state !== undefined && phaseOf(state) !== "ended" ? [id] : [],
  );
}

/** What `enable --take-over` says of them. */
export function takenNotes({ sessions, lines, problem }: TakenRecords): string[] {
  const files = (count: number) => `${count} ${count === 1 ? "file" : "files"}`;
  const named = lines.left.map((path) => printable(path)).join(", ");
  return [
    ...(sessions.length > 0
      ? [
          `${sessions.length} ${sessions.length === 1 ? "session" : "sessions"} under way: Keyframe goes on where the conversation was last stored; who wrote what is not committed yet, Entire does not know by line.`,
        ]
      : []),
    ...(lines.taken.length > 0
      ? [`Uncommitted lines with an owner that git-ai knows: taken over in ${files(lines.taken.length)}.`]
      : []),
    ...(lines.left.length > 0
      ? [`Not taken over, because git-ai no longer has the content that its owners are of: ${named}`]
      : []),
    ...(problem === undefined
      ? []
      : [`Uncommitted lines were not taken over (${printable(problem)}): run the command again.`]),
  ];
}
