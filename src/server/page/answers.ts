import { KeyframeError } from "../../base/errors.ts";
import { searchCheckpoints } from "../../checkpoints/query/search/search.ts";
import { openSearchIndex, searchFolder } from "../../checkpoints/query/search/search-index.ts";
import { adoptedLanes, listRaces, type RaceRecord, readAdoption, readLane } from "../../race/race-record.ts";
import { raceRows } from "../../race/race-table.ts";
import type { SandboxContext } from "../../sandbox/store/home.ts";
import { changedFilesOf } from "../../timeline/moments/changed-files.ts";
import { describeMoment } from "../../timeline/moments/describe-moment.ts";
import { mustFindMoment } from "../../timeline/moments/find-moment.ts";
import { listMoments } from "../../timeline/moments/list-moments.ts";
import type { AskContext } from "../../workflows/ask/ask-context.ts";
import { readCommitChanges } from "../../workflows/ask/commit-changes.ts";
import { readConversationPage } from "../../workflows/ask/conversation.ts";
import { type KnownOwner, readFileOwners } from "../../workflows/ask/file-owners.ts";
import { readMachineRows } from "../../workflows/ask/machine-rows.ts";
import { countPeople } from "../../workflows/ask/people.ts";

export interface PageContext extends AskContext {
  /** Undefined where this user has no machines. */
  readonly sandboxes?: SandboxContext;
}

/** What the page asks, by the first word of the path behind `/api/`; the rest of the path is one argument. */
export type Answer = (context: PageContext, argument: string, query: URLSearchParams) => Promise<object>;

export const answers: Readonly<Record<string, Answer>> = {
  timeline: answerTimeline,
  moment: answerMoment,
  checkpoint: answerCheckpoint,
  files: answerFiles,
  file: answerFile,
  diff: (context, revision) => readCommitChanges(context, revision),
  people: (context) => countPeople(context),
  races: answerRaces,
  race: answerRace,
  search: answerSearch,
  machines: ({ sandboxes }) =>
    Promise.resolve({ rows: sandboxes === undefined ? [] : readMachineRows(sandboxes) }),
};

const mostMoments = 20_000;

async function answerTimeline(
  { git, files }: AskContext,
  _: string,
  query: URLSearchParams,
): Promise<object> {
  const session = query.get("session") ?? undefined;
  const limit = countOf(query, "limit", 300, mostMoments);
  const filter = { all: query.get("all") === "1", limit, ...(session === undefined ? {} : { session }) };
  const moments = await listMoments(git, files, filter);
  // what each changed is asked for where it can be seen: the first screens
  const counts = await changedFilesOf(git, moments.slice(0, 300), moments);
  return {
    moments: moments.map((moment) => ({ ...moment, changedFiles: counts.get(moment.id) ?? null })),
    limit,
  };
}

async function answerMoment({ git, files }: AskContext, id: string): Promise<object> {
  const moment = await mustFindMoment(git, files, id);
  return { moment, ...(await describeMoment(git, files, moment)) };
}

function answerCheckpoint(context: AskContext, what: string, query: URLSearchParams): Promise<object> {
  const wanted = query.get("session") ?? "";
  const session = /^\d{1,4}$/.test(wanted) ? Number(wanted) : wanted || undefined;
  return readConversationPage(context, {
    what,
    ...(session === undefined ? {} : { session }),
    from: countOf(query, "from", 0, 1_000_000_000),
    count: countOf(query, "count", 500, 20_000),
    full: query.get("full") === "1",
  });
}

async function answerFiles({ git }: AskContext): Promise<object> {
  const text = await git.text(["ls-files", "-z"]);
  return { paths: text.split("\0").filter(Boolean) };
}

/** Columns, not rows: a file of fifty thousand lines is a few arrays. */
async function answerFile(context: AskContext, path: string, query: URLSearchParams): Promise<object> {
  const revision = query.get("revision") ?? undefined;
  const lines = await readFileOwners(context, { path, ...(revision === undefined ? {} : { revision }) });
  const owners: KnownOwner[] = [];
  const commits: object[] = [];
  const places = new Map<string, number>();
  const placeIn = <T extends object>(list: T[], key: string, value: () => T) => {
    const place = places.get(key) ?? list.push(value()) - 1;
    places.set(key, place);
    return place;
  };
  const runs: [count: number, owner: number, commit: number][] = [];
  for (const { owner, commit, author, time, subject } of lines) {
    const at =
      owner === undefined
        ? -1
        : placeIn(owners, `o${owner.name}\0${owner.session}\0${owner.prompt}`, () => owner);
    const from =
      commit === undefined ? -1 : placeIn(commits, `c${commit}`, () => ({ commit, author, time, subject }));
    const last = runs.at(-1);
    if (last !== undefined && last[1] === at && last[2] === from) last[0] += 1;
    else runs.push([1, at, from]);
  }
  return { path, revision: revision ?? null, text: lines.map(({ text }) => text), owners, commits, runs };
}

async function answerRaces({ git, files }: AskContext): Promise<object> {
  const races = listRaces(git.repository, files);
  return {
    races: races.map((race) => ({
      id: race.id,
      at: race.at,
      prompt: race.prompt,
      lanes: race.lanes.map(({ name }) => readLane(git.repository, files, { id: race.id, name })),
      adopted: adoptedLane({ git, files }, race) ?? null,
    })),
  };
}

function adoptedLane(
  { git, files }: Pick<AskContext, "git" | "files">,
  { id }: RaceRecord,
): string | undefined {
  return adoptedLanes(readAdoption(git.repository, files, id))[0];
}

async function answerRace({ git, files }: AskContext, id: string): Promise<object> {
  const race = listRaces(git.repository, files).find((each) => each.id === id);
  if (race === undefined) throw new KeyframeError("not-found", `no race named ${id.slice(0, 40)}`);
  const base = readLane(git.repository, files, { id, name: "base" });
  const lanes = race.lanes.map(({ name }) => readLane(git.repository, files, { id, name }));
  return {
    id,
    at: race.at,
    prompt: race.prompt,
    rows: raceRows(race, base, lanes),
    adopted: adoptedLane({ git, files }, race) ?? null,
  };
}

async function answerSearch(
  { git, stores, files }: AskContext,
  _: string,
  query: URLSearchParams,
): Promise<object> {
  const words = (query.get("q") ?? "").split(/\s+/).filter(Boolean).slice(0, 20);
  if (words.length === 0) return { total: 0, hits: [], code: [] };
  const index = openSearchIndex(files, searchFolder(git.repository.commonDir));
  const { hits } = await searchCheckpoints(git, stores, index, { words });
  const args = ["grep", "-n", "-z", "-I", "--fixed-strings", "--ignore-case", "--max-count=5", "--all-match"];
  const code = await git.run([...args, ...words.flatMap((word) => ["-e", word])], { okCodes: [0, 1] });
  return {
    total: hits.length,
    hits: hits.slice(0, 100),
    code: parseGrep(code.stdout.toString("utf8")).slice(0, 100),
  };
}

function parseGrep(text: string): { readonly path: string; readonly line: number; readonly text: string }[] {
  return text.split("\n").flatMap((entry) => {
    const [path = "", line = "", rest] = entry.split("\0");
    return rest === undefined ? [] : [{ path, line: Number(line), text: rest.slice(0, 500) }];
  });
}

function countOf(query: URLSearchParams, name: string, otherwise: number, most: number): number {
  const text = query.get(name);
  if (text === null) return otherwise;
  const count = Number(text);
  if (!Number.isInteger(count) || count < 0)
    throw new KeyframeError("usage", `${name} must be a whole number`);
  return Math.min(count, most);
}
