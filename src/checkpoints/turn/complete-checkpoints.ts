import type { JsonMap } from "../../base/json-document.ts";
import { resumeSha256 } from "../../base/resumable-sha256.ts";
import type { Git } from "../../git/git.ts";
import { readObjectFormat } from "../../git/objects/bulk-writer.ts";
import { fault } from "../../system/fault.ts";
import { type CaptureRecord, redactedPath } from "../capture/record.ts";
import { type StoringDeps, withCapture } from "../capture/transcript.ts";
import { chunksOf } from "../capture/transcript-chunks.ts";
import { addCompact } from "../commit/add-compact.ts";
import { promptSeparator } from "../commit/build-checkpoint.ts";
import { type CheckpointId, isCheckpointId } from "../record/ids.ts";
import { agentSummaryField } from "../record/metadata.ts";
import { commitMessage } from "../stores/commit-message.ts";
import { openCheckpointStores } from "../stores/open-stores.ts";
import type { SessionWrite } from "../stores/store.ts";
import { readStoredSessions } from "../stores/stored-sessions.ts";
import { findWritingPlace } from "../stores/writing-place.ts";

/**
 * Stores the whole conversation with the checkpoints that were made before their turn ended. One that cannot be
 * stored does not stop the others. Returns which are done, or cannot be: they have been removed since.
 */
export async function completeCheckpoints(
  git: Git,
  deps: StoringDeps,
  { record, ids }: { readonly record: CaptureRecord; readonly ids: readonly string[] },
): Promise<{ readonly done: readonly CheckpointId[]; readonly problems: readonly unknown[] }> {
  const done: CheckpointId[] = [];
  const problems: unknown[] = [];
  const hash = resumeSha256(record.redactedHash);
  const wanted = ids.filter(isCheckpointId);
  if (wanted.length === 0 || hash === undefined) return { done: wanted, problems };
  const stores = openCheckpointStores(git);
  const copy = { path: redactedPath(git.repository, record), bytes: record.redactedBytes };
  const chunks = await chunksOf(git, deps.files, {
    ...copy,
    document: record.document,
    known: record.chunks,
    format: await readObjectFormat(git),
  });
  for (const id of wanted) {
    try {
      const { store, tree } = await findWritingPlace(stores, id, deps.store);
      const metadata = (await readStoredSessions(git, tree)).get(record.agent.id);
      if (metadata !== undefined) {
        const prompt = promptsFrom(record, metadata);
        if (record.facts.summary !== undefined) metadata.set(agentSummaryField, record.facts.summary);
        const session: SessionWrite = {
          metadata,
          transcript: chunks.map(({ source }) => source),
          contentHash: { bytes: Buffer.from(`sha256:${hash.digest()}`) },
          ...(prompt === "" ? {} : { prompt: { bytes: Buffer.from(prompt) } }),
        };
        const sessions = [await addCompact(deps, session, { kind: store.kind, copy })];
        await store.write([{ id, root: new Map(), sessions }], {
          message: commitMessage(store.kind, "finalize"),
          nowSeconds: Math.floor(deps.clock.nowMs() / 1000),
        });
        fault("build-checkpoint:after-finalize-before-state");
      }
      done.push(id);
    } catch (error) {
      problems.push(error);
    }
  }
  if (done.length > 0 && !record.document) {
    await withCapture(deps, git.repository, record.agent, (known) =>
      known === undefined || known.generation !== record.generation
        ? undefined
        : { ...known, chunks: chunks.map(({ offsetBytes, oid }) => ({ offsetBytes, oid })) },
    );
  }
  return { done, problems };
}

/** From where the checkpoint begins in the conversation to its end. */
function promptsFrom({ facts }: CaptureRecord, metadata: JsonMap): string {
  const start = metadata.get("checkpoint_transcript_start");
  const from = typeof start === "number" ? Math.min(start, facts.lines) : 0;
  const inScope = facts.prompts.filter(({ line }) => line >= from);
  return (inScope.length > 0 ? inScope : facts.prompts.slice(-1))
    .map(({ text }) => text)
    .join(promptSeparator);
}
