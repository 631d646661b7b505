import { listCandidateCommits } from "../../../authorship/carry/candidate-commits.ts";
import { type AuthorshipLog, normalisePath, ownersByPath } from "../../../authorship/note/log.ts";
import { LookedAt } from "../../../authorship/note/looked-at.ts";
import { notesRef } from "../../../authorship/note/notes-ref.ts";
import { addedRanges } from "../../../authorship/rules/added-lines.ts";
import { clipRuns, countLines } from "../../../authorship/rules/owner-runs.ts";
import { carryIntoCommits } from "../../../authorship/settle/carried-commits.ts";
import { writeNoteBatch } from "../../../authorship/settle/note-batch.ts";
import { listCommits } from "../../../authorship/stats/commit-list.ts";
import { findCountedChanges } from "../../../authorship/stats/counted-changes.ts";
import type { CommitChange } from "../../../authorship/stats/counter.ts";
import type { Git } from "../../../git/git.ts";
import { isOid, type Oid } from "../../../git/ids.ts";
import { type ObjectReader, openObjectReader } from "../../../git/objects/objects.ts";
import { workBranches, workRemoteBranches } from "../../../git/refs/tips.ts";
import { hasKeptStates } from "../../../journal/calls/kept-states.ts";
import { hasPendingStates } from "../../../journal/pending/pending-states.ts";
import { startProgress } from "../../output/progress.ts";
import type { DoctorCheck, DoctorContext, Finding } from "./check.ts";

/** How long contents are looked for, milliseconds: to tell, and to mend. */
const findMs = 5000;
const repairMs = 20_000;
/** Commits that are looked at, the newest of all branches. */
const maxCommits = 1000;

/**
 * Commits whose lines have an owner elsewhere and none here, as rewriting behind our back leaves them, and notes that
 * claim lines which their commit does not add. From notes alone: a fresh clone finds the same.
 */
export const ownersCheck: DoctorCheck = {
  name: "owners",
  label: "owners",
  find: (context) =>
    withReader(context, async (reader) => {
      const commits = await listNewest(context.git);
      const lost = await findLost(context, reader, commits);
      return [...lost].map(describeLost).concat(await findOutside(context, reader, commits));
    }),
  repair: (context) =>
    withReader(context, async (reader) => {
      const { git, cli } = context;
      const search = {
        git,
        reader,
        files: cli.files,
        clock: cli.clock,
        searchMs: repairMs,
        isReadOnly: true,
      };
      const logs = await carryIntoCommits(search, await listNewest(git));
      await writeNoteBatch({ git, reader, deps: cli }, { logs, precedence: "existing" });
    }),
};

async function withReader<T>({ git }: DoctorContext, work: (reader: ObjectReader) => Promise<T>): Promise<T> {
  const reader = openObjectReader(git, { lazyFetch: false });
  try {
    return await work(reader);
  } finally {
    await reader.close();
  }
}

async function listNewest(git: Git): Promise<Oid[]> {
  const args = ["rev-list", "--no-merges", "--topo-order", `--max-count=${maxCommits}`];
  const result = await git.run([...args, ...workBranches, ...workRemoteBranches, "HEAD"], {
    okCodes: [0, 128],
  });
  return result.stdout.toString("latin1").split("\n").filter(isOid).reverse();
}

/**
 * What was looked at to the end and had no owner elsewhere is not looked at again as long as notes, refs and stashes are
 * as they were. Where the time is over before the last one, it says so: the next run goes on from there.
 */
async function findLost(
  { git, cli }: DoctorContext,
  reader: ObjectReader,
  commits: readonly Oid[],
): Promise<Map<Oid, AuthorshipLog>> {
  const holdsFor = JSON.stringify([
    (await reader.info(notesRef))?.oid ?? "",
    await listCandidateCommits(git, cli.files),
    // what is pending or stashed changes with every edit
    hasKeptStates(git.repository, cli.files) || hasPendingStates(git.repository, cli.files)
      ? cli.clock.nowMs()
      : 0,
  ]);
  const lookedAt = new LookedAt(git.repository, cli.files, { name: "owners", holdsFor });
  const rest = commits.filter((commit) => !lookedAt.has(commit));
  const bar = startProgress({
    label: "looking for lost owners",
    unit: "items",
    total: rest.length,
    stream: cli.process.stderr,
    clock: cli.clock,
  });
  let done = 0;
  const lost = await carryIntoCommits(
    { git, reader, files: cli.files, clock: cli.clock, searchMs: findMs, isReadOnly: true },
    rest,
    {
      onLookedAt(commit, isFound) {
        done += 1;
        bar.update(done);
        if (!isFound) lookedAt.add(commit);
      },
    },
  );
  bar.finish();
  lookedAt.save();
  if (done > 0 && done < rest.length)
    cli.terminal.note(
      `looked for lost owners in ${done} of ${rest.length} commits: the next run goes on from there, --repair looks at all`,
    );
  return lost;
}

function describeLost([commit, log]: readonly [Oid, AuthorshipLog]): Finding {
  const lines = [...ownersByPath(log).values()].reduce((sum, { runs }) => sum + countLines(runs), 0);
  return {
    kind: "owners",
    subject: commit,
    what: `${lines} of its lines ${lines === 1 ? "has an owner" : "have owners"} where they stood before, and none here`,
    repair: "`keyframe doctor --repair` carries them",
    repairable: true,
    damage: false,
  };
}

async function findOutside(
  { git, cli }: DoctorContext,
  reader: ObjectReader,
  commits: readonly Oid[],
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const listed = commits.length === 0 ? [] : await listCommits(git, commits, { alone: true });
  const changes = await findCountedChanges({ git, reader, files: cli.files }, listed);
  for await (const { change } of changes.read()) {
    const lines = countOutside(change);
    if (lines === 0) continue;
    findings.push({
      kind: "owners",
      subject: change.commit.commit,
      what: `its note claims ${lines} lines that the commit does not add`,
      repair: "nothing has to: such lines are not counted or shown",
      repairable: false,
      damage: false,
    });
  }
  return findings;
}

/** Lines that the note claims and that the commit does not add. */
function countOutside({ claims, patches: [files = []] }: CommitChange): number {
  const added = new Map(
    files.map(({ newPath, hunks }) => [normalisePath(newPath ?? ""), addedRanges(hunks)]),
  );
  let lines = 0;
  for (const [path, runs] of claims?.files ?? [])
    lines += countLines(runs) - countLines(clipRuns(runs, added.get(path) ?? []));
  return lines;
}
