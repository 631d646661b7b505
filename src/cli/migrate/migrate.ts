import { KeyframeError } from "../../base/errors.ts";
import {
  applyMigration,
  type MigrationResult,
  readMigrationPlan,
  verifyMigration,
} from "../../checkpoints/migrate/migrate.ts";
import type { MigrationPlan } from "../../checkpoints/migrate/plan-migration.ts";
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
  let result: MigrationResult;
  try {
    const nowSeconds = Math.floor(this.clock.nowMs() / 1000);
    result = await applyMigration(git, stores, plan, {
      nowSeconds,
      trace: this.trace,
      onProgress: ({ done }) => progress.update(done),
    });
  } finally {
    progress.finish();
  }
  const differing = verify ? await this.trace.span("verify", () => verifyMigration(stores, plan)) : [];
  if (json) this.terminal.json({ to, ...result, ...(verify ? { differing } : {}) });
  else {
    for (const warning of result.warnings) this.terminal.note(`! ${warning}`);
    for (const { id, why } of result.failed) this.terminal.note(`! checkpoint ${id} was left out: ${why}`);
    this.terminal.out(summary(plan, result));
    if (verify && differing.length === 0)
      this.terminal.out("Verified: every transcript is the same, object for object.");
  }
  if (result.failed.length > 0) this.process.exitCode = 1;
  const expected = new Set(result.failed.map(({ id }) => id));
  const wrong = differing.filter((id) => !expected.has(id));
  if (wrong.length > 0) {
    throw new KeyframeError(
      "damaged",
      `${wrong.length} checkpoints differ after the migration: ${wrong.slice(0, 5).join(", ")}`,
      {
        hint: `run \`keyframe migrate --to ${to} --force\``,
      },
    );
  }
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
