import { redactedText } from "../../checkpoints/capture/redacted-prompts.ts";
import { listTurnSnapshots } from "../../checkpoints/capture/turn-snapshots.ts";
import { adoptedLanes, listRaces, readAdoption, readLane } from "../../race/race-record.ts";
import { raceRows } from "../../race/race-table.ts";
import type { AskContext } from "./ask-context.ts";

/** Something that was tried and is not on any branch: a lane of a race that was not adopted, or a turn that was undone. */
export interface EarlierAttempt {
  readonly kind: "lane" | "turn";
  /** To open it with: `race:<id>/<lane>` or the id of a moment. */
  readonly id: string;
  readonly at: string;
  readonly by: string;
  readonly prompt: string;
  readonly files: readonly string[];
  /** What is known of how it went. */
  readonly outcome: string;
}

export interface AttemptFilter {
  /** A path, or a directory above it. */
  readonly path?: string;
  /** Words of the prompt. */
  readonly topic?: string;
}

/** Earlier attempts, the newest first. */
export async function listEarlierAttempts(
  context: AskContext,
  filter: AttemptFilter,
): Promise<EarlierAttempt[]> {
  return [
    ...listTriedLanes(context, filter),
    ...(await listUndoneTurns(context)).filter((each) => matches(each, filter)),
  ].sort(newestFirst);
}

/** Lanes of races that were not adopted, the newest first. Costs the races that were run, and starts no git. */
export function listTriedLanes(
  context: Pick<AskContext, "git" | "files">,
  filter: AttemptFilter,
): (EarlierAttempt & { readonly commit?: string })[] {
  return listLanes(context)
    .filter((attempt) => matches(attempt, filter))
    .sort(newestFirst);
}

function newestFirst(a: EarlierAttempt, b: EarlierAttempt): number {
  return a.at < b.at ? 1 : -1;
}

function matches({ files, prompt }: EarlierAttempt, { path, topic }: AttemptFilter): boolean {
  const hasPath =
    path === undefined ||
    files.some((file) => file === path || file.startsWith(`${path.replace(/\/$/, "")}/`));
  const words = (topic ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const text = prompt.toLowerCase();
  return hasPath && words.every((word) => text.includes(word));
}

function listLanes({
  git,
  files,
}: Pick<AskContext, "git" | "files">): (EarlierAttempt & { readonly commit?: string })[] {
  const { repository } = git;
  return listRaces(repository, files).flatMap((race) => {
    const adopted = adoptedLanes(readAdoption(repository, files, race.id));
    const base = readLane(repository, files, { id: race.id, name: "base" });
    const lanes = race.lanes.map(({ name }) => readLane(repository, files, { id: race.id, name }));
    return raceRows(race, base, lanes)
      .filter(({ lane }) => lane.diff !== undefined && !adopted.includes(lane.name))
      .map(({ lane, command, passed, checks, tests }) => ({
        kind: "lane" as const,
        id: `race:${race.id}/${lane.name}`,
        at: race.at,
        by: command.split(/\s/)[0] ?? lane.name,
        prompt: redactedText(repository, files, race.prompt),
        files: lane.diff?.files ?? [],
        ...(lane.commit === undefined ? {} : { commit: lane.commit }),
        outcome: [
          lane.state === "done" ? "" : lane.state,
          checks === 0 ? "no checks" : `${passed} of ${checks} checks passed`,
          tests.fixed.length > 0 ? `fixed ${tests.fixed.length} tests` : "",
          tests.broken.length > 0 ? `broke ${tests.broken.slice(0, 5).join(", ")}` : "",
          adopted.length === 0 ? "no lane was adopted" : `lane ${adopted.join(", ")} was adopted instead`,
        ]
          .filter(Boolean)
          .join("; "),
      }));
  });
}

/** Turns that a rewind went back behind: what the snapshot before the rewind descends from no longer is what is there. */
async function listUndoneTurns({ git }: AskContext): Promise<EarlierAttempt[]> {
  const undone = await readRewindTargets(git);
  if (undone.length === 0) return [];
  const turns = await listTurnSnapshots(git);
  const attempts: EarlierAttempt[] = [];
  for (const { target, at } of undone) {
    const reached = turns.find(({ commit }) => commit.startsWith(target));
    if (reached === undefined) continue;
    const between = turns.filter(
      (turn) => turn.session === reached.session && turn.turn > reached.turn && turn.at < at,
    );
    for (const turn of between) {
      const before = turns.find((each) => each.session === turn.session && each.turn === turn.turn - 1);
      const args = ["diff-tree", "-r", "-z", "--name-only", "--no-renames", "--no-commit-id"];
      const files = before === undefined ? "" : await git.text([...args, before.commit, turn.commit]);
      attempts.push({
        kind: "turn",
        id: turn.commit.slice(0, 12),
        at: turn.at,
        by: turn.tool,
        prompt: turn.prompt,
        files: files.split("\0").filter(Boolean),
        outcome: `undone by a rewind on ${at.slice(0, 10)}`,
      });
    }
  }
  return attempts;
}

async function readRewindTargets(
  git: AskContext["git"],
): Promise<{ readonly target: string; readonly at: string }[]> {
  const refs = (await git.text(["for-each-ref", "--format=%(refname)", "refs/keyframe/safety/"]))
    .split("\n")
    .filter(Boolean);
  if (refs.length === 0) return [];
  const { stdout } = await git.run(
    ["log", "--stdin", "--first-parent", "--no-show-signature", "--format=%B%x00"],
    {
      stdin: refs.map((ref) => `${ref}\n`).join(""),
    },
  );
  return stdout
    .toString("utf8")
    .split("\0")
    .flatMap((message) => {
      try {
        const facts: unknown = JSON.parse(message.slice(message.indexOf("\n\n")).trim());
        if (typeof facts !== "object" || facts === null) return [];
        const { before, at } = facts as { before?: unknown; at?: unknown };
        return typeof before === "string" && before !== "undo" && typeof at === "string"
          ? [{ target: before, at }]
          : [];
      } catch {
        return []; // a commit that no rewind made
      }
    });
}
