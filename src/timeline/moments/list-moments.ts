import { listMarks, type MarkSnapshot } from "../../checkpoints/capture/marks.ts";
import { listTurnSnapshots, type TurnSnapshot } from "../../checkpoints/capture/turn-snapshots.ts";
import { namedCheckpoints } from "../../checkpoints/record/trailers.ts";
import { worktreeIdOf } from "../../checkpoints/sessions/events.ts";
import type { Git } from "../../git/git.ts";
import { isOid, type Oid } from "../../git/ids.ts";
import { workBranches } from "../../git/refs/tips.ts";
import type { Files } from "../../system/files/files.ts";
import { listRunTurns, machinesOf } from "../machines/machine-moments.ts";
import { listMachineRuns } from "../machines/machine-run.ts";
import { type Moment, momentId } from "../moment.ts";

export interface MomentFilter {
  /** Every branch and worktree; otherwise HEAD's history and this worktree. */
  readonly all: boolean;
  /** Only moments of sessions whose id begins with this. */
  readonly session?: string;
  readonly limit?: number;
}

/** Moments, newest first: the ends of turns, marks and commits. */
export async function listMoments(git: Git, files: Files, filter: MomentFilter): Promise<Moment[]> {
  const worktree = worktreeIdOf(git.repository);
  const runs = listMachineRuns(git.repository, files);
  const [turns, inMachines, marks, commits] = await Promise.all([
    listTurnSnapshots(git),
    listRunTurns(git, runs),
    listMarks(git),
    listCommits(git, filter),
  ]);
  const isShown = (snapshot: { readonly worktree: string }) => filter.all || snapshot.worktree === worktree;
  const moments = [
    ...turnMoments(turns.filter(isShown)),
    ...(filter.all ? turnMoments(inMachines) : []),
    ...marks.filter(isShown).map(markMoment),
    ...commits,
  ].filter((moment) => hasSession(moment, filter.session));
  const machines = machinesOf(runs);
  for (const [place, moment] of moments.entries()) {
    const machine = machines.get(moment.commit);
    if (machine !== undefined) moments[place] = { ...moment, machine };
  }
  moments.sort((a, b) => Date.parse(b.at) - Date.parse(a.at) || rank(b) - rank(a));
  return filter.limit === undefined ? moments : moments.slice(0, filter.limit);
}

/** A turn ends after the commit that it made. */
function rank({ kind }: Moment): number {
  return { commit: 0, turn: 1, mark: 2 }[kind];
}

function hasSession({ sessions }: Moment, session: string | undefined): boolean {
  return session === undefined || sessions.some((each) => each.session.startsWith(session));
}

function turnMoments(turns: readonly TurnSnapshot[]): Moment[] {
  const later = new Map<string, number>();
  const moments: Moment[] = [];
  // newest first: the next one of the same session is the one before
  for (const turn of turns) {
    const key = `${turn.tool}\0${turn.session}`;
    const place = later.get(key);
    const follower = place === undefined ? undefined : moments[place];
    if (place !== undefined && follower !== undefined)
      moments[place] = { ...follower, parent: momentId(turn.commit) };
    later.set(key, moments.length);
    moments.push(turnMoment(turn));
  }
  return moments.map((moment) =>
    moment.parent === undefined && isOid(moment.base) ? { ...moment, parent: momentId(moment.base) } : moment,
  );
}

function turnMoment(turn: TurnSnapshot): Moment {
  const { commit, at, branch, worktree, owners, untaken, transcript, tool, session } = turn;
  return {
    id: momentId(commit),
    kind: "turn",
    at,
    title: turn.turn === 0 ? "before the first prompt" : turn.prompt || `turn ${turn.turn}`,
    commit,
    base: baseOf(turn.base),
    ...(branch === undefined ? {} : { branch }),
    worktree,
    exact: true,
    sessions: [{ tool, session, turn: turn.turn, ...(transcript === undefined ? {} : { transcript }) }],
    checkpoints: [],
    ...(owners === undefined ? {} : { owners }),
    untaken,
  };
}

/** What a mark holds, as a moment. */
export function markMoment({
  commit,
  at,
  title,
  base,
  branch,
  worktree,
  owners,
  untaken,
  sessions,
}: MarkSnapshot): Moment {
  return {
    id: momentId(commit),
    kind: "mark",
    at,
    title,
    commit,
    base: baseOf(base),
    ...(branch === undefined ? {} : { branch }),
    worktree,
    exact: true,
    sessions,
    checkpoints: [],
    ...(owners === undefined ? {} : { owners }),
    untaken,
    ...(isOid(base) ? { parent: momentId(base) } : {}),
  };
}

function baseOf(text: string): Oid | "initial" {
  return isOid(text) ? text : "initial";
}

const branches = [
  ...[...workBranches, "HEAD"],
  // what the lanes of races came to; their bases are snapshots
  ...["--exclude=refs/keyframe/race/*/base", "--glob=refs/keyframe/race/*"],
];
const commitFormat = "%H%x00%P%x00%cI%x00%D%x00%s%x00%B%x00%x1e";

async function listCommits(git: Git, { all, limit }: MomentFilter): Promise<Moment[]> {
  const result = await git.run(
    [
      "log",
      "--no-show-signature",
      `--format=${commitFormat}`,
      "--decorate=full",
      "--decorate-refs=refs/heads/",
      "--decorate-refs=refs/keyframe/race/",
      ...(limit === undefined ? [] : [`--max-count=${limit}`]),
      ...(all ? branches : ["HEAD"]),
      "--",
    ],
    // 128: no commit yet
    { okCodes: [0, 128] },
  );
  return result.stdout
    .toString("utf8")
    .split("\0\x1e")
    .flatMap((record) => commitMoment(record.trimStart().split("\0")));
}

function commitMoment([
  oid = "",
  parents = "",
  at = "",
  names = "",
  subject = "",
  message = "",
]: readonly string[]): Moment[] {
  if (!isOid(oid)) return [];
  const parent = parents.split(" ")[0] ?? "";
  const branch = /(?:^|, |-> )(refs\/heads\/[^,]+)/.exec(names)?.[1];
  const lane = /refs\/keyframe\/(race\/[^,]+)/.exec(names)?.[1];
  return [
    {
      id: momentId(oid),
      kind: "commit",
      at,
      title: subject,
      commit: oid,
      base: oid,
      ...(branch === undefined ? {} : { branch }),
      ...(lane === undefined ? {} : { lane }),
      exact: false,
      sessions: [],
      checkpoints: namedCheckpoints(message),
      untaken: 0,
      ...(isOid(parent) ? { parent: momentId(parent) } : {}),
    },
  ];
}
