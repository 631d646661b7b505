import { errorText } from "../../../base/errors.ts";
import { clearProblems, readProblems, recordProblem } from "../../../state/problems.ts";
import { settleRepository } from "../../command/settle-first.ts";
import type { DoctorCheck } from "./check.ts";

/** What hooks could not do. */
export const hooksCheck: DoctorCheck = {
  name: "problems",
  label: "hook",
  find: ({ cli, repository }) =>
    readProblems(repository, cli.files).map(({ at, where, what }) => ({
      kind: "hook",
      subject: where,
      what: `${new Date(at).toISOString()}: ${what}`,
      repair: "`keyframe doctor --repair` does what is left to do, and forgets it",
      repairable: true,
      damage: false,
    })),
  async repair({ cli, repository }) {
    // forgotten first: what fails again is told again
    clearProblems(repository, cli.files);
    try {
      await settleRepository(cli, repository);
    } catch (error) {
      const at = cli.clock.nowMs();
      recordProblem(repository, cli.files, { at, where: "doctor", what: errorText(error) });
      throw error;
    }
  },
};
