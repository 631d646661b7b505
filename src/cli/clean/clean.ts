import { formatBytes } from "../../base/bytes.ts";
import { KeyframeError } from "../../base/errors.ts";
import { applyClean } from "../../checkpoints/clean/apply-clean.ts";
import type { CleanItem } from "../../checkpoints/clean/clean-item.ts";
import { type CleanPlan, planClean } from "../../checkpoints/clean/plan-clean.ts";
import { readCleanFacts } from "../../checkpoints/clean/read-facts.ts";
import { defaultCleanAgeMs } from "../../checkpoints/record/limits.ts";
import type { RaceRecord } from "../../race/race-record.ts";
import { dropOldRaces, listOldRaces } from "../../race/run/old-races.ts";
import type { CliContext } from "../command/context.ts";
import { openRepositoryGit } from "../command/open-repository.ts";
import { firstLine } from "../output/checkpoint-text.ts";
import { formatTable, printable } from "../output/terminal.ts";
import { dropDepsOf } from "../race/drop.ts";
import type { CleanFlags } from "./clean-command.ts";

/** `keyframe clean` */
export async function clean(this: CliContext, flags: CleanFlags): Promise<void> {
  if (flags.dryRun && flags.force)
    throw new KeyframeError("usage", "--dry-run and --force do not go together");
  const git = openRepositoryGit(this);
  const { commonDir } = git.repository;
  const request = {
    commonDir,
    nowMs: this.clock.nowMs(),
    olderThanMs: flags.olderThan ?? defaultCleanAgeMs,
    all: flags.all === true,
  };
  const facts = await this.trace.span("read", () => readCleanFacts(git, this));
  const plan = planClean(facts, request);
  const races = listOldRaces(git, this, request.olderThanMs);
  if (!flags.force) return showPlan(this, commonDir, { plan, races, json: flags.json === true });
  const { removed, left, failed } = await this.trace.span("remove", () =>
    applyClean(git, this, plan.items, request),
  );
  const dropped = await dropOldRaces(git, dropDepsOf(this, git), races);
  if (flags.json) {
    const removedRaces = dropped.map(({ id }) => id);
    this.terminal.json({ removed, left, failed, kept: plan.kept, races: removedRaces });
  } else {
    for (const { id } of dropped) this.terminal.out(`removed  race  ${id}`);
    for (const item of removed) this.terminal.out(`removed  ${describeItem(item, commonDir)}`);
    for (const item of left) this.terminal.note(`in use, left: ${describeItem(item, commonDir)}`);
    for (const { item, why } of failed)
      this.terminal.note(`! ${describeItem(item, commonDir)}: ${printable(why)}`);
    if (plan.items.length + races.length === 0) this.terminal.out("Nothing to clean.");
    else this.terminal.out(`${removed.length + dropped.length} removed`);
  }
  if (failed.length > 0) {
    if (!flags.json) this.terminal.note(`${failed.length} could not be removed; run the command again`);
    this.process.exitCode = 1;
  }
}

function showPlan(
  { terminal }: CliContext,
  commonDir: string,
  {
    plan,
    races,
    json,
  }: { readonly plan: CleanPlan; readonly races: readonly RaceRecord[]; readonly json: boolean },
): void {
  if (json) {
    terminal.json({ items: plan.items, kept: plan.kept, races: races.map(({ id }) => id) });
    return;
  }
  for (const { sessionId, why } of plan.kept) terminal.note(`session ${printable(sessionId)} stays: ${why}`);
  const rows = [
    ...plan.items.map((item) => [item.kind, subjectOf(item, commonDir)]),
    ...races.map(({ id, prompt }) => ["race", `${id}  ${firstLine(prompt, 60)}`]),
  ];
  if (rows.length === 0) {
    terminal.out("Nothing to clean.");
    return;
  }
  terminal.out(formatTable(rows));
  terminal.out(`${rows.length} to remove; \`keyframe clean --force\` does it`);
}

function describeItem(item: CleanItem, commonDir: string): string {
  return `${item.kind}  ${subjectOf(item, commonDir)}`;
}

function subjectOf(item: CleanItem, commonDir: string): string {
  switch (item.kind) {
    case "turn snapshots":
    case "transcript copy":
    case "session state":
      return printable(item.sessionId);
    case "fetched packs":
      return `${item.names.length} packs become one (${formatBytes(item.sizeBytes)})`;
    case "pack remains":
      return `${item.name} (${formatBytes(item.sizeBytes)})`;
    case "shadow branch":
    case "temporary ref":
    case "rewind snapshots":
      return printable(item.ref);
    default: {
      const { path } = item;
      return printable(path.startsWith(`${commonDir}/`) ? path.slice(commonDir.length + 1) : path);
    }
  }
}
