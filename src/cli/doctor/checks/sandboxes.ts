import { findSandboxProblems } from "../../../sandbox/removal/find-problems.ts";
import { locateSandboxHome } from "../../../sandbox/store/home.ts";
import type { CliContext } from "../../command/context.ts";
import { sandboxContextOf } from "../../sandbox/context.ts";
import type { DoctorCheck, MachineContext } from "./check.ts";

/** This user's sandboxes and snapshots; nothing where nobody has ever used one. */
export const sandboxesCheck: DoctorCheck<MachineContext> = {
  name: "sandboxes",
  label: "sandbox",
  find: async ({ cli }) =>
    (await look(cli, false)).map(({ kind, subject, what, repair }) => ({
      kind,
      subject,
      what,
      repair: repair ?? "nothing repairs this: a person has to look",
      repairable: repair !== undefined,
      damage: kind === "damaged-record",
    })),
  repair: async ({ cli }) => void (await look(cli, true)),
};

async function look(cli: CliContext, repair: boolean) {
  if (cli.files.statTargetIfExists(locateSandboxHome(cli.env)) === undefined) return [];
  return findSandboxProblems(sandboxContextOf(cli), { repair });
}
