import { type AuthorshipLog, ownersByPath } from "../../../authorship/note/log.ts";
import { parseAuthorshipLog } from "../../../authorship/note/log-codec.ts";
import { notesRef } from "../../../authorship/note/notes-ref.ts";
import { addedRanges } from "../../../authorship/rules/added-lines.ts";
import { clipRuns, countLines } from "../../../authorship/rules/owner-runs.ts";
import { carryIntoCommits } from "../../../authorship/settle/carried-commits.ts";
import { writeNoteBatch } from "../../../authorship/settle/note-batch.ts";
import type { Git } from "../../../git/git.ts";
import { isOid, type Oid } from "../../../git/ids.ts";
import { type ObjectReader, openObjectReader } from "../../../git/objects/objects.ts";
import { readCommitPatches } from "../../../git/objects/patch.ts";
import { readNotes } from "../../../git/refs/notes.ts";
import type { DoctorCheck, DoctorContext, Finding } from "./check.ts";

/** How long contents are looked for, milliseconds. */
const searchMs = 20_000;
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
      const commits = await listCommits(context.git);
      const lost = await findLost(context, reader, commits);
      return [...lost].map(describeLost).concat(await findOutside(context.git, reader, commits));
    }),
  repair: (context) =>
    withReader(context, async (reader) => {
      const logs = await findLost(context, reader, await listCommits(context.git));
      await writeNoteBatch({ git: context.git, reader, deps: context.cli }, { logs, precedence: "existing" });
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

async function listCommits(git: Git): Promise<Oid[]> {
  const args = ["rev-list", "--no-merges", "--topo-order", `--max-count=${maxCommits}`];
  const result = await git.run([...args, "--branches", "--remotes", "HEAD"], { okCodes: [0, 128] });
  return result.stdout.toString("latin1").split("\n").filter(isOid).reverse();
}

function findLost(
  { git, cli }: DoctorContext,
  reader: ObjectReader,
  commits: readonly Oid[],
): Promise<Map<Oid, AuthorshipLog>> {
  return carryIntoCommits(
    { git, reader, files: cli.files, clock: cli.clock, searchMs, isReadOnly: true },
    commits,
  );
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

async function findOutside(git: Git, reader: ObjectReader, commits: readonly Oid[]): Promise<Finding[]> {
  const notes = await readNotes(reader, notesRef, commits);
  const findings: Finding[] = [];
  for await (const { commit, files } of readCommitPatches(git, [...notes.keys()])) {
    const note = notes.get(commit);
    const owned = note === undefined ? [] : ownersByPath(parseAuthorshipLog(note).log).values();
    let lines = 0;
    for (const { path, runs } of owned) {
      const added = addedRanges(files.find(({ newPath }) => newPath === path)?.hunks ?? []);
      lines += countLines(runs) - countLines(clipRuns(runs, added));
    }
    if (lines === 0) continue;
    findings.push({
      kind: "owners",
      subject: commit,
      what: `its note claims ${lines} lines that the commit does not add`,
      repair: "nothing has to: such lines are not counted or shown",
      repairable: false,
      damage: false,
    });
  }
  return findings;
}
