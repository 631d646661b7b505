import { parseAuthorshipLog } from "../../authorship/log-codec.ts";
import { notesRef } from "../../authorship/notes-ref.ts";
import { type CheckpointProblem, findCheckpointProblems } from "../../checkpoints/find-problems.ts";
import type { Git } from "../../git/git.ts";
import { listNotes } from "../../git/notes.ts";
import { openObjectReader } from "../../git/objects.ts";
import { findRepository } from "../../git/repository.ts";
import { clearProblems, type Problem, readProblems } from "../../journal/problems.ts";
import { type JournalFinding, repairJournal, verifyJournal } from "../../journal/verify.ts";
import type { SandboxProblem } from "../../sandbox/find-problems.ts";
import type { CliContext } from "../context.ts";
import { exitCodes } from "../exit-codes.ts";
import { openRepositoryCheckpoints } from "../open-repository.ts";
import { settleRepository } from "../settle-first.ts";
import { printable, type Terminal } from "../terminal.ts";
import type { DoctorFlags } from "./command.ts";
import { describeSandboxProblem, doctorSandboxes } from "./sandboxes.ts";

interface NoteFinding {
  readonly commit: string;
  readonly what: string;
}

interface Diagnosis {
  readonly journal: readonly JournalFinding[];
  readonly notes: readonly NoteFinding[];
  readonly checkpoints: readonly CheckpointProblem[];
  readonly problems: readonly Problem[];
  readonly sandboxes: readonly SandboxProblem[];
}

/** `keyframe doctor` */
export async function doctor(this: CliContext, flags: DoctorFlags): Promise<void> {
  const sandboxes = await doctorSandboxes(this, flags.repair === true);
  const repository = findRepository(this.cwd, this.files);
  if (repository === undefined) return reportSandboxes(this, sandboxes, flags);
  const { git, stores } = openRepositoryCheckpoints(this);
  const found: Diagnosis = {
    journal: verifyJournal(this, repository),
    notes: await verifyNotes(git),
    checkpoints: (await findCheckpointProblems(git, stores)).filter(({ harmless }) => !harmless),
    problems: readProblems(repository, this.files),
    sandboxes,
  };
  let repaired = 0;
  if (flags.repair) {
    repaired = repairJournal(this, repository);
    await settleRepository(this, repository);
    clearProblems(repository, this.files);
  }
  if (flags.json) this.terminal.json({ ...found, repaired });
  else {
    const lines = describeDiagnosis(this.terminal, found);
    for (const line of lines) this.terminal.out(line);
    if (repaired > 0) this.terminal.out(`repaired ${repaired}`);
    if (lines.length === 0) this.terminal.out("all is well");
  }
  if (!flags.repair && found.journal.some(({ kind }) => kind.startsWith("damaged"))) {
    this.process.exitCode = exitCodes.damaged;
  }
}

function describeDiagnosis(
  terminal: Terminal,
  { journal, notes, checkpoints, problems, sandboxes }: Diagnosis,
): string[] {
  const label = (style: "red" | "yellow", text: string) => terminal.style(style, text.padEnd(10));
  return [
    ...journal.map(
      ({ where, what, repair }) =>
        `${label("red", "journal")}  ${printable(where)}: ${printable(what)}${repair ? ` (${repair})` : ""}`,
    ),
    ...notes.map(
      ({ commit, what }) => `${label("yellow", "note")}  ${commit.slice(0, 12)}: ${printable(what)}`,
    ),
    ...checkpoints.map(
      ({ kind, subject, what, repair }) =>
        `${label("yellow", "checkpoint")}  ${printable(subject)}: ${kind}: ${printable(what)} (${printable(repair)})`,
    ),
    ...problems.map(
      ({ at, where, what }) =>
        `${label("yellow", "hook")}  ${new Date(at).toISOString()}  ${printable(where)}: ${printable(what)}`,
    ),
    ...sandboxes.map((problem) => describeSandboxProblem(terminal, problem)),
  ];
}

/** Outside of a repository there is nothing else to look at. */
function reportSandboxes(
  { terminal }: CliContext,
  sandboxes: readonly SandboxProblem[],
  flags: DoctorFlags,
): void {
  if (flags.json) terminal.json({ sandboxes });
  else if (sandboxes.length === 0) terminal.out("all is well with the sandboxes; this is no git repository");
  else for (const problem of sandboxes) terminal.out(describeSandboxProblem(terminal, problem));
}

/** Notes that cannot be read in part or at all. */
async function verifyNotes(git: Git): Promise<NoteFinding[]> {
  const findings: NoteFinding[] = [];
  const reader = openObjectReader(git);
  try {
    const notes = [...(await listNotes(git, notesRef))];
    for (let from = 0; from < notes.length; from += noteBatch) {
      await Promise.all(
        notes.slice(from, from + noteBatch).map(async ([commit, blob]) => {
          const note = await reader.read(blob);
          if (note === undefined) findings.push({ commit, what: "its note is not on this machine" });
          else
            for (const { message } of parseAuthorshipLog(note.content).problems)
              findings.push({ commit, what: message });
        }),
      );
    }
  } finally {
    await reader.close();
  }
  return findings;
}

const noteBatch = 200;
