import { errorText } from "../../base/errors.ts";
import { mustFindRepository } from "../../git/repository.ts";
import type { CliContext } from "../context.ts";
import { exitCodes } from "../exit-codes.ts";
import { openRepositoryCheckpoints } from "../open-repository.ts";
import { printable, type Terminal } from "../terminal.ts";
import type { DoctorCheck, DoctorContext, Finding } from "./check.ts";
import { doctorChecks } from "./checks.ts";
import type { DoctorFlags } from "./command.ts";

/** What each check found, in the order of the checks. */
type Diagnosis = ReadonlyMap<DoctorCheck, readonly Finding[]>;

/** `keyframe doctor` */
export async function doctor(this: CliContext, flags: DoctorFlags): Promise<void> {
  const repository = mustFindRepository(this.cwd, this.files);
  const context = {
    cli: this,
    repository,
    remote: flags.remote === true,
    ...openRepositoryCheckpoints(this),
  };
  const found = await diagnose(context);
  const left = flags.repair ? await repairAll(context, found) : found;
  const repaired = countOf(found) - countOf(left);
  if (flags.json) {
    const byName = [...left].map(([{ name }, findings]) => [name, findings] as const);
    this.terminal.json({ ...Object.fromEntries(byName), repaired: Math.max(0, repaired) });
  } else {
    for (const [check, findings] of left)
      for (const finding of findings) this.terminal.out(describe(this.terminal, check, finding));
    if (repaired > 0) this.terminal.out(`repaired ${repaired}`);
    if (countOf(left) === 0) this.terminal.out("all is well");
  }
  if ([...left.values()].some((findings) => findings.some(({ damage }) => damage)))
    this.process.exitCode = exitCodes.damaged;
}

async function diagnose(context: DoctorContext): Promise<Diagnosis> {
  const found = new Map<DoctorCheck, readonly Finding[]>();
  for (const check of doctorChecks) {
    found.set(check, await context.cli.trace.span(check.name, async () => await check.find(context)));
  }
  return found;
}

/** Mends, and looks again: what is told to be repaired is. One check that cannot mend does not stop the others. */
async function repairAll(context: DoctorContext, found: Diagnosis): Promise<Diagnosis> {
  for (const [check, findings] of found) {
    if (findings.length === 0 || check.repair === undefined) continue;
    try {
      await check.repair(context, findings);
    } catch (error) {
      context.cli.terminal.note(`! ${check.label}: ${errorText(error)}`);
    }
  }
  return diagnose(context);
}

function countOf(diagnosis: Diagnosis): number {
  return [...diagnosis.values()].reduce((sum, findings) => sum + findings.length, 0);
}

function describe(
  terminal: Terminal,
  { label }: DoctorCheck,
  { kind, subject, what, repair, damage }: Finding,
) {
  const head = terminal.style(damage ? "red" : "yellow", label.padEnd(10));
  const text = kind === label ? printable(what) : `${kind}: ${printable(what)}`;
  return `${head}  ${printable(subject)}: ${text}\n${" ".repeat(12)}${printable(repair)}`;
}
