import type { DoctorCheck } from "./check.ts";
import { checkpointsCheck } from "./check-checkpoints.ts";
import { hooksCheck } from "./check-hooks.ts";
import { journalCheck } from "./check-journal.ts";
import { notesCheck } from "./check-notes.ts";
import { remotesCheck } from "./check-remotes.ts";
import { sessionsCheck } from "./check-sessions.ts";

/** In the order in which they look and mend: what remotes bring may answer what checkpoints lack. */
export const doctorChecks: readonly DoctorCheck[] = [
  journalCheck,
  notesCheck,
  sessionsCheck,
  remotesCheck,
  checkpointsCheck,
  hooksCheck,
];
