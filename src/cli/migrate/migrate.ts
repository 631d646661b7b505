import { KeyframeError } from "../../base/errors.ts";
import { applyMigration, type MigrationResult } from "../../checkpoints/migrate/migrate.ts";
import type { MigrationPlan } from "../../checkpoints/migrate/plan-migration.ts";
import { readMigrationPlan } from "../../checkpoints/migrate/read-plan.ts";
import { type MigrationCheck, verifyMigration } from "../../checkpoints/migrate/verify-migration.ts";
import type { StoreKind } from "../../checkpoints/record/checkpoint-tree.ts";
import type { CliContext } from "../command/context.ts";
import { openRepositoryCheckpoints } from "../command/open-repository.ts";
import { localTime } from "../output/checkpoint-text.ts";
import { startProgress } from "../output/progress.ts";
import { formatTable } from "../output/terminal.ts";

export interface MigrateFlags {
  readonly to: StoreKind;
  readonly dryRun?: boolean;
  readonly verify?: boolean;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** Brings checkpoints over; exit code 1 where some could not be. */
export async function migrate(
  this: CliContext,
  { to, dryRun, verify, force, json }: MigrateFlags,
): Promise<void> {
  if (dryRun && force) throw new KeyframeError("usage", "--dry-run and --force do not go together");
  const { git, stores } = openRepositoryCheckpoints(this);
  const plan = await this.trace.span("plan", () =>
    readMigrationPlan(git, stores, { to, force: force === true }),
  );
  if (dryRun) return showPlan(this, plan, json === true);
  const progress = startProgress({
    label: `Migrating to ${to}`,
    unit: "items",
    total: plan.steps.length,
    stream: this.process.stderr,
    clock: this.clock,
  });
  const result: Mutable<MigrationResult> = { migrated: 0, skipped: plan.skipped, failed: [], warnings: [] };
  try {
    const options = {
      nowSeconds: Math.floor(this.clock.nowMs() / 1000),
      trace: this.trace,
      onProgress: ({ done }: { readonly done: number }) => progress.update(done),
    };
    addResult(result, await applyMigration(git, stores, plan, options));
    // what only a second store has is added to what came from the first
    if (plan.hasSeveralSources) {
      const rest = await this.trace.span("plan", () => readMigrationPlan(git, stores, { to }));
      const failed = new Set(result.failed.map(({ id }) => id));
      const steps = rest.steps.filter(({ id }) => !failed.has(id));
      addResult(result, await applyMigration(git, stores, { ...rest, steps }, options));
    }
  } finally {
    progress.finish();
  }
  const check = verify ? await this.trace.span("verify", () => verifyMigration(git, stores, to)) : undefined;
  if (json) this.terminal.json({ to, ...result, ...(check === undefined ? {} : { verified: check }) });
  else {
    for (const warning of result.warnings) this.terminal.note(`! ${warning}`);
    for (const { id, why } of result.failed) this.terminal.note(`! checkpoint ${id} was left out: ${why}`);
    this.terminal.out(summary(plan, result));
    if (check?.differing.length === 0) this.terminal.out(verified(check));
  }
  if (result.failed.length > 0) this.process.exitCode = 1;
  if (check !== undefined) mustBeSame(this, check, to);
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

function addResult(sum: Mutable<MigrationResult>, more: MigrationResult): void {
  sum.migrated += more.migrated;
  sum.failed = [...sum.failed, ...more.failed];
  sum.warnings = [...sum.warnings, ...more.warnings];
}

function verified({ checkpoints, sessions, transcripts, subagents }: MigrationCheck): string {
  return `Verified: ${checkpoints} checkpoints with ${sessions} sessions, ${transcripts} transcripts and ${subagents} subagents' files are the same in number, order and digest.`;
}

function mustBeSame({ terminal }: CliContext, { differing }: MigrationCheck, to: StoreKind): void {
  if (differing.length === 0) return;
  const shown = differing.slice(0, 10);
  for (const { id, why } of shown) terminal.note(`! checkpoint ${id}: ${why.slice(0, 5).join("; ")}`);
  if (differing.length > shown.length)
    terminal.note(`! and ${differing.length - shown.length} more; --json names all of them`);
  throw new KeyframeError("damaged", `${differing.length} checkpoints differ after the migration`, {
    hint: `run \`keyframe migrate --to ${to} --force\``,
  });
}

function summary({ steps, skipped, to }: MigrationPlan, { migrated, failed }: MigrationResult): string {
  if (steps.length === 0 && skipped === 0) return "Nothing to migrate: no checkpoints found.";
  if (steps.length === 0) return `All ${skipped} checkpoints are already in ${to}. Nothing to migrate.`;
  return `Migration complete: ${migrated} migrated, ${skipped} skipped, ${failed.length} failed`;
}

function showPlan({ terminal }: CliContext, plan: MigrationPlan, json: boolean): void {
  const rows = plan.steps.map(({ id, from, createdMs, sessions }) => ({
    id,
    created: createdMs === 0 ? undefined : new Date(createdMs).toISOString(),
    from: from.store,
    sessions: sessions === undefined ? "all" : [...sessions],
  }));
  if (json) {
    terminal.json({ to: plan.to, migrate: rows, skipped: plan.skipped });
    return;
  }
  if (rows.length > 0) {
    terminal.out(
      formatTable([
        ["CHECKPOINT", "CREATED", "FROM"],
        ...rows.map((row) => [row.id, localTime(row.created), row.from]),
      ]),
    );
  }
  terminal.out(`${rows.length} to migrate, ${plan.skipped} skipped`);
}
