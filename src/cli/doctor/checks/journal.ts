import { repairJournal, verifyJournal } from "../../../journal/upkeep/verify.ts";
import type { DoctorCheck } from "./check.ts";

/** The journal of this worktree: each line of the log, each head, each stored content. */
export const journalCheck: DoctorCheck = {
  name: "journal",
  label: "journal",
  find: ({ cli, repository }) =>
    verifyJournal(cli, repository).map(({ kind, where, what, repair }) => ({
      kind,
      subject: where,
      what,
      repair: repair ?? "nothing brings it back: the lines are shown as unknown, the rest is read",
      repairable: kind === "damaged-head" || kind === "abandoned-file",
      damage: kind.startsWith("damaged"),
    })),
  repair({ cli, repository }) {
    repairJournal(cli, repository);
  },
};
