import { agentsCheck } from "./checks/agents.ts";
import type { DoctorCheck, MachineContext } from "./checks/check.ts";
import { checkpointsCheck } from "./checks/checkpoints.ts";
import { hooksCheck } from "./checks/hooks.ts";
import { journalCheck } from "./checks/journal.ts";
import { locksCheck } from "./checks/locks.ts";
import { mergesCheck } from "./checks/merges.ts";
import { notesCheck } from "./checks/notes.ts";
import { ownersCheck } from "./checks/owners.ts";
import { peersCheck } from "./checks/peers.ts";
import { remotesCheck } from "./checks/remotes.ts";
import { sandboxesCheck } from "./checks/sandboxes.ts";
import { sessionsCheck } from "./checks/sessions.ts";
import { trailersCheck } from "./checks/trailers.ts";

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
  trailersCheck,
];

/** What is this user's, inside of a repository and outside. */
export const machineChecks: readonly DoctorCheck<MachineContext>[] = [sandboxesCheck];
