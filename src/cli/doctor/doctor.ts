import { errorText } from "../../base/errors.ts";
import { lookForRepository } from "../../git/repository.ts";
import type { CliContext } from "../command/context.ts";
import { exitCodes } from "../command/exit-codes.ts";
import { openRepositoryCheckpoints } from "../command/open-repository.ts";
import { printable, printableText, type Terminal } from "../output/terminal.ts";
import type { DoctorCheck, Finding, MachineContext } from "./checks/check.ts";
import { securityChecks } from "./checks/security.ts";
import { machineChecks, repositoryChecks } from "./checks.ts";
import type { DoctorFlags } from "./doctor-command.ts";

/** What each check found, in the order of the checks. */
type Diagnosis<Context> = ReadonlyMap<DoctorCheck<Context>, readonly Finding[]>;

/** `keyframe doctor` */
export async function doctor(this: CliContext, flags: DoctorFlags): Promise<void> {
  const found = lookForRepository(this.cwd, this);
  if (flags.security) return await examine({ cli: this, place: found }, securityChecks, flags);
  if (found.kind === "refused") throw found.error;
  if (found.kind === "none") {
    this.terminal.note("not a git repository: only the sandboxes are checked");
    await examine({ cli: this }, machineChecks, flags);
    return;
  }
  const context = {
    cli: this,
    repository: found.repository,
    remote: flags.remote === true,
    ...openRepositoryCheckpoints(this),
  };
  await examine(context, [...repositoryChecks, ...machineChecks], flags);
}

async function examine<Context extends MachineContext>(
  context: Context,
  checks: readonly DoctorCheck<Context>[],
  flags: DoctorFlags,
): Promise<void> {
  const { terminal, process } = context.cli;
  const found = await diagnose(context, checks);
  const { left, failed } = flags.repair ? await repairAll(context, found) : { left: found, failed: false };
  const repaired = countOf(found) - countOf(left);
  if (flags.json) {
    const byName = [...left].map(([{ name }, findings]) => [name, findings] as const);
    terminal.json({ ...Object.fromEntries(byName), repaired: Math.max(0, repaired) });
  } else {
    for (const [{ label }, findings] of left)
      for (const group of groupByCause(findings)) terminal.out(describeGroup(terminal, label, group));
    if (repaired > 0) terminal.out(`repaired ${repaired}`);
    if (countOf(left) === 0 && !failed) terminal.out("all is well");
  }
  const isDamaged = [...left.values()].some((findings) => findings.some(({ damage }) => damage));
  if (isDamaged) process.exitCode = exitCodes.damaged;
  else if (countOf(left) > 0 || failed) process.exitCode = problemsExitCode;
}

/** Something needs attention, and nothing that was recorded is lost. */
const problemsExitCode = 1;

async function diagnose<Context extends MachineContext>(
  context: Context,
  checks: readonly DoctorCheck<Context>[],
): Promise<Diagnosis<Context>> {
  const found = new Map<DoctorCheck<Context>, readonly Finding[]>();
  for (const check of checks) {
    found.set(check, await context.cli.trace.span(check.name, async () => await check.find(context)));
  }
  return found;
}

/** Repairs, and looks again. A check whose repair fails does not stop the others. */
async function repairAll<Context extends MachineContext>(
  context: Context,
  found: Diagnosis<Context>,
): Promise<{ left: Diagnosis<Context>; failed: boolean }> {
  let failed = false;
  for (const [check, findings] of found) {
    if (findings.length === 0 || check.repair === undefined) continue;
    try {
      await check.repair(context, findings);
    } catch (error) {
      failed = true;
      context.cli.terminal.note(`! ${check.label}: ${errorText(error)}`);
    }
  }
  return { left: await diagnose(context, [...found.keys()]), failed };
}

function countOf(diagnosis: Diagnosis<never>): number {
  return [...diagnosis.values()].reduce((sum, findings) => sum + findings.length, 0);
}

function describe(terminal: Terminal, label: string, { kind, subject, what, repair, damage }: Finding) {
  const head = terminal.style(damage ? "red" : "yellow", label.padEnd(10));
  const text = kind === label ? printable(what) : `${kind}: ${printable(what)}`;
  return `${head}  ${printable(subject)}: ${text}\n${" ".repeat(12)}${printableText(repair)}`;
}

/** More than so many findings of one cause are told as one. */
const maxAlike = 3;

/** Findings with the same cause and the same repair, whatever the subject's name is in it. */
function groupByCause(findings: readonly Finding[]): readonly (readonly Finding[])[] {
  const groups = new Map<string, Finding[]>();
  for (const finding of findings) {
    const { kind, subject, repair, damage } = finding;
    const key = JSON.stringify([kind, repair.replaceAll(subject, "<id>"), damage]);
    groups.set(key, [...(groups.get(key) ?? []), finding]);
  }
  return [...groups.values()].flatMap((group) =>
    group.length > maxAlike ? [group] : group.map((finding) => [finding]),
  );
}

function describeGroup(terminal: Terminal, label: string, group: readonly Finding[]): string {
  const [first] = group;
  if (first === undefined) return "";
  if (group.length === 1) return describe(terminal, label, first);
  const { kind, what, repair, damage } = first;
  const subjects = group.map(({ subject }) => printable(subject));
  const head = terminal.style(damage ? "red" : "yellow", label.padEnd(10));
  const named = subjects.slice(0, maxAlike).join(", ");
  const indent = " ".repeat(12);
  const advice = printableText(repair.replaceAll(first.subject, "<id>"));
  return `${head}  ${kind}: ${group.length} times, such as ${printable(what)}\n${indent}${named} and ${subjects.length - maxAlike} more; --json names all\n${indent}${advice}`;
}
