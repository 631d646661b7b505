import { notesRef } from "../../authorship/commit-claims.ts";
import { parseAuthorshipLog } from "../../authorship/log-codec.ts";
import { type Git, openGit } from "../../git/git.ts";
import { listNotes } from "../../git/notes.ts";
import { openObjectReader } from "../../git/objects.ts";
import { mustFindRepository } from "../../git/repository.ts";
import { clearProblems, readProblems } from "../../journal/problems.ts";
import { repairJournal, verifyJournal } from "../../journal/verify.ts";
import type { CliContext } from "../context.ts";
import { exitCodes } from "../exit-codes.ts";
import { settleRepository } from "../settle-first.ts";
import { printable } from "../terminal.ts";
import type { DoctorFlags } from "./command.ts";

interface NoteFinding {
  readonly commit: string;
  readonly what: string;
}

/** `keyframe doctor` */
export async function doctor(this: CliContext, flags: DoctorFlags): Promise<void> {
  const repository = mustFindRepository(this.cwd, this.files);
  const journal = verifyJournal(this, repository);
  const notes = await verifyNotes(openGit(repository, this.processes, this.env));
  const problems = readProblems(repository, this.files);
  let repaired = 0;
  if (flags.repair) {
    repaired = repairJournal(this, repository);
    await settleRepository(this, repository);
    clearProblems(repository, this.files);
  }
  if (flags.json) this.terminal.json({ journal, notes, problems, repaired });
  else {
    const { terminal } = this;
    for (const { where, what, repair } of journal) {
      terminal.out(
        `${terminal.style("red", "journal")}  ${printable(where)}: ${printable(what)}${repair ? ` (${repair})` : ""}`,
      );
    }
    for (const { commit, what } of notes)
      terminal.out(`${terminal.style("yellow", "note")}     ${commit.slice(0, 12)}: ${printable(what)}`);
    for (const { at, where, what } of problems) {
      terminal.out(
        `${terminal.style("yellow", "hook")}     ${new Date(at).toISOString()}  ${printable(where)}: ${printable(what)}`,
      );
    }
    if (repaired > 0) terminal.out(`repaired ${repaired}`);
    if (journal.length + notes.length + problems.length === 0) terminal.out("all is well");
  }
  if (!flags.repair && journal.some((finding) => finding.kind.startsWith("damaged"))) {
    this.process.exitCode = exitCodes.damaged;
  }
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
