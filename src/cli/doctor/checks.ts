import type { DoctorCheck, MachineContext } from "./check.ts";
import { agentsCheck } from "./check-agents.ts";
import { checkpointsCheck } from "./check-checkpoints.ts";
import { hooksCheck } from "./check-hooks.ts";
import { journalCheck } from "./check-journal.ts";
import { locksCheck } from "./check-locks.ts";
import { mergesCheck } from "./check-merges.ts";
import { notesCheck } from "./check-notes.ts";
import { ownersCheck } from "./check-owners.ts";
import { peersCheck } from "./check-peers.ts";
import { remotesCheck } from "./check-remotes.ts";
import { sandboxesCheck } from "./check-sandboxes.ts";
import { sessionsCheck } from "./check-sessions.ts";

/** In the order in which they look and repair: locks first, since others wait for them; checkpoints after what remotes bring. */
export const repositoryChecks: readonly DoctorCheck[] = [
  locksCheck,
  journalCheck,
  notesCheck,
  ownersCheck,
  sessionsCheck,
  remotesCheck,
  checkpointsCheck,
  hooksCheck,
  agentsCheck,
  peersCheck,
  mergesCheck,
];

/** What is this user's, inside of a repository and outside. */
export const machineChecks: readonly DoctorCheck<MachineContext>[] = [sandboxesCheck];
