import { errorText, isKeyframeError, KeyframeError } from "../../base/errors.ts";
import type { Git } from "../../git/git.ts";
import { fault } from "../../system/fault.ts";
import { noTrace, type Trace } from "../../system/trace.ts";
import { createSessionCompactors } from "../query/compact-sessions.ts";
import { openTranscriptReader } from "../query/read-transcript.ts";
import type { CheckpointId } from "../record/ids.ts";
import { commitMessage } from "../stores/commit-message.ts";
import type { CheckpointStores } from "../stores/open-stores.ts";
import type { CheckpointWrite } from "../stores/store.ts";
import { tryLoadStates } from "../stores/stored-state.ts";
import { convertCheckpoint } from "./convert-checkpoint.ts";
import type { MigrationPlan } from "./plan-migration.ts";

export interface MigrationProgress {
  readonly done: number;
  readonly total: number;
}

export interface MigrationResult {
  readonly migrated: number;
  readonly skipped: number;
  readonly failed: readonly { readonly id: CheckpointId; readonly why: string }[];
  /** What came over less than whole, in words. */
  readonly warnings: readonly string[];
}

export interface MigrationOptions {
  readonly nowSeconds: number;
  readonly onProgress?: (progress: MigrationProgress) => void;
  readonly trace?: Trace;
  /** A record of the target that cannot be understood is written over. */
  readonly replacesDamaged?: boolean;
}

export const migrationIdentity = "Keyframe Migration <migration@keyframe.invalid>";

/**
 * Brings checkpoints over, oldest first, a batch at a time: each batch is one commit and one move of its refs, so a
 * run that is killed leaves whole batches, and the next run goes on behind them. Two runs at once end in the same
 * result. Memory does not grow with the number of checkpoints.
 */
export async function applyMigration(
  git: Git,
  stores: CheckpointStores,
  plan: MigrationPlan,
  { nowSeconds, onProgress, trace = noTrace, replacesDamaged = false }: MigrationOptions,
): Promise<MigrationResult> {
  const target = stores[plan.to];
  const compactors = createSessionCompactors();
  const transcripts = openTranscriptReader(git);
  const failed: { readonly id: CheckpointId; readonly why: string }[] = [];
  const warnings: string[] = [];
  let done = 0;
  try {
    for (let from = 0; from < plan.steps.length; ) {
      const steps = plan.steps.slice(from, from + (await target.preferredBatch()));
      from += steps.length;
      const writes: CheckpointWrite[] = [];
      const states = await trace.span("read", () =>
        tryLoadStates(git, new Map(steps.map(({ id, from: { files } }) => [id, new Map(files)]))),
      );
      for (const step of steps) {
        try {
          const state =
            states.get(step.id) ?? new KeyframeError("damaged", `checkpoint ${step.id} has no files`);
          if (state instanceof KeyframeError) throw state;
          const converted = await trace.span("convert", () =>
            convertCheckpoint({ git, transcripts, compactors, step, state, to: plan.to }),
          );
          writes.push(converted.write);
          warnings.push(...converted.warnings);
        } catch (error) {
          if (!isKeyframeError(error, "not-here", "damaged", "too-large", "invalid-input")) throw error;
          failed.push({ id: step.id, why: errorText(error) });
        }
        done += 1;
        onProgress?.({ done, total: plan.steps.length });
      }
      fault("migration:before-batch");
      await trace.span("write", () =>
        target.write(writes, {
          message: commitMessage(plan.to, "migration"),
          nowSeconds,
          identity: migrationIdentity,
          replacesDamaged,
        }),
      );
      fault("migration:after-batch");
    }
  } finally {
    await transcripts.close();
  }
  return { migrated: plan.steps.length - failed.length, skipped: plan.skipped, failed, warnings };
}
