import { findSandboxProblems, type SandboxProblem } from "../../sandbox/find-problems.ts";
import { locateSandboxHome } from "../../sandbox/home.ts";
import type { CliContext } from "../context.ts";
import { sandboxWorld } from "../sandbox/world.ts";
import { printable, type Terminal } from "../terminal.ts";

/** The problems of this user's sandboxes; none where nobody has ever used one. Repairs what can be if asked to. */
export async function doctorSandboxes(
  context: CliContext,
  repair: boolean,
): Promise<readonly SandboxProblem[]> {
  if (context.files.statTargetIfExists(locateSandboxHome(context.env)) === undefined) return [];
  return findSandboxProblems(sandboxWorld(context), { repair });
}

export function describeSandboxProblem(terminal: Terminal, problem: SandboxProblem): string {
  const { kind, subject, what, repair } = problem;
  const label = terminal.style(repair === undefined ? "red" : "yellow", "sandbox".padEnd(10));
  return `${label}  ${printable(subject)}: ${kind}: ${printable(what)}${repair === undefined ? "" : ` (${repair})`}`;
}
