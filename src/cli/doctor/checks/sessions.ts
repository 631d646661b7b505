import { shellQuote } from "../../../base/text/shell-words.ts";
import { listSessionStates, sessionStatePath } from "../../../checkpoints/sessions/directory.ts";
import { endStuckSessions, findStuckSessions } from "../../../checkpoints/sessions/stuck-sessions.ts";
import type { DoctorCheck } from "./check.ts";

/** Sessions whose agent is gone without a word, and states that cannot be read. */
export const sessionsCheck: DoctorCheck = {
  name: "sessions",
  label: "session",
  find: ({ cli, repository }) => [
    ...findStuckSessions(cli, repository).map(({ id, why }) => ({
      kind: "stuck session",
      subject: id,
      what: why,
      repair: `\`keyframe doctor --repair\` or \`keyframe session stop ${shellQuote(id)}\` ends it; its work stays linked to it`,
      repairable: true,
      damage: false,
    })),
    ...listSessionStates(cli, repository).flatMap(({ id, problem }) =>
      problem === undefined
        ? []
        : [
            {
              kind: "unreadable state",
              subject: id,
              what: problem,
              repair: `move ${sessionStatePath(repository, id)} away: the session's next prompt begins a new one`,
              repairable: false,
              damage: true,
            },
          ],
    ),
  ],
  repair({ cli, repository }) {
    endStuckSessions(cli, repository);
  },
};
