import { formatBytes } from "../../base/bytes.ts";
import { KeyframeError } from "../../base/errors.ts";
import { applyClean } from "../../checkpoints/clean/apply-clean.ts";
import type { CleanItem } from "../../checkpoints/clean/clean-item.ts";
import { type CleanPlan, planClean } from "../../checkpoints/clean/plan-clean.ts";
import { readCleanFacts } from "../../checkpoints/clean/read-facts.ts";
import { defaultCleanAgeMs } from "../../checkpoints/record/limits.ts";
import type { CliContext } from "../command/context.ts";
import { openRepositoryGit } from "../command/open-repository.ts";
import { formatTable, printable } from "../output/terminal.ts";
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
  if (!flags.force) return showPlan(this, commonDir, { plan, json: flags.json === true });
  const { removed, left, failed } = await this.trace.span("remove", () =>
    applyClean(git, this, plan.items, request),
  );
  if (flags.json) {
    this.terminal.json({ removed, left, failed, kept: plan.kept });
  } else {
    for (const item of removed) this.terminal.out(`removed  ${describeItem(item, commonDir)}`);
    for (const item of left) this.terminal.note(`in use, left: ${describeItem(item, commonDir)}`);
    for (const { item, why } of failed)
      this.terminal.note(`! ${describeItem(item, commonDir)}: ${printable(why)}`);
    if (plan.items.length === 0) this.terminal.out("Nothing to clean.");
    else this.terminal.out(`${removed.length} removed`);
  }
  if (failed.length > 0) {
    if (!flags.json) this.terminal.note(`${failed.length} could not be removed; run the command again`);
    this.process.exitCode = 1;
  }
}

function showPlan(
  { terminal }: CliContext,
  commonDir: string,
  { plan, json }: { readonly plan: CleanPlan; readonly json: boolean },
): void {
  if (json) {
    terminal.json({ items: plan.items, kept: plan.kept });
    return;
  }
  for (const { sessionId, why } of plan.kept) terminal.note(`session ${printable(sessionId)} stays: ${why}`);
  if (plan.items.length === 0) {
    terminal.out("Nothing to clean.");
    return;
  }
  terminal.out(formatTable(plan.items.map((item) => [item.kind, subjectOf(item, commonDir)])));
  terminal.out(`${plan.items.length} to remove; \`keyframe clean --force\` does it`);
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
