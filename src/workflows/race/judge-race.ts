import type { Git } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";
import type { LaneStatus, RaceRecord } from "../../race/race-record.ts";
import type { Random } from "../../system/random.ts";
import { runUserProgram, type UserProgramDeps } from "../user-program.ts";

/** As long as a lane may take by default. */
const judgeTimeoutMs = 20 * 60_000;
/** Of one lane: what is longer is cut, and the judge is told. */
const maxDiffLength = 256 * 1024;

export interface Judgement {
  /** What the command printed. */
  readonly answer: string;
  /** The lane behind each letter that the command saw. */
  readonly lanes: Readonly<Record<string, string>>;
}

/**
 * Gives a command of the user's the task and what each lane changed, in an order that chance decides and under letters: a
 * judge that knows names prefers its own. Nothing is decided by its answer.
 * @throws KeyframeError `program-failed`, `timed-out`
 */
export async function judgeRace(
  git: Git,
  deps: UserProgramDeps,
  {
    race,
    lanes,
    command,
  }: { readonly race: RaceRecord; readonly lanes: readonly LaneStatus[]; readonly command: string },
): Promise<Judgement> {
  const candidates = shuffled(
    lanes.flatMap(({ name, commit }) => (commit === undefined ? [] : [{ name, commit }])),
    deps.random,
  ).map((lane, place) => ({ ...lane, letter: String.fromCharCode(65 + place) }));
  const parts = [`# Task\n\n${race.prompt.trim()}\n`];
  for (const { letter, commit } of candidates)
    parts.push(`# Candidate ${letter}\n\n${await readDiff(git, race.base.commit, commit)}`);
  const input = parts.join("\n");
  const answer = await runUserProgram(deps, { command, what: "the judge", input, timeoutMs: judgeTimeoutMs });
  return { answer, lanes: Object.fromEntries(candidates.map(({ letter, name }) => [letter, name])) };
}

async function readDiff(git: Git, from: Oid, to: Oid): Promise<string> {
  const { stdout } = await git.run(["diff", "--no-ext-diff", "--no-textconv", "--no-color", from, to, "--"]);
  const text = stdout.toString("utf8");
  if (text.length <= maxDiffLength) return text;
  return `${text.slice(0, maxDiffLength)}\n[cut: the change has ${text.length} characters]\n`;
}

function shuffled<T>(values: readonly T[], random: Random): T[] {
  return values
    .map((value) => ({ value, at: random.bytes(6).readUIntBE(0, 6) }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value);
}
