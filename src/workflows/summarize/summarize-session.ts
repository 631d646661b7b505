import { KeyframeError } from "../../base/errors.ts";
import { type JsonMap, parseJsonDocument } from "../../base/json-document.ts";
import { readCaptureSettings } from "../../checkpoints/capture/settings.ts";
import { contentOfSession } from "../../checkpoints/migrate/convert-checkpoint.ts";
import { sessionsOf } from "../../checkpoints/record/checkpoint-tree.ts";
import type { CheckpointId } from "../../checkpoints/record/ids.ts";
import { maxMetadataBytes } from "../../checkpoints/record/limits.ts";
import { commitMessage } from "../../checkpoints/stores/commit-message.ts";
import { layouts } from "../../checkpoints/stores/layouts.ts";
import { openCheckpointStores } from "../../checkpoints/stores/open-stores.ts";
import type { SessionWrite } from "../../checkpoints/stores/store.ts";
import { findWritingPlace, type WritingPlace } from "../../checkpoints/stores/writing-place.ts";
import type { Git } from "../../git/git.ts";
import { readSmallObjects } from "../../git/objects/small-objects.ts";
import type { Machine } from "../../system/machine/machine.ts";
import {
  mustFindSummaryCommand,
  runSummaryCommand,
  type SummaryDeps,
  summaryTimeoutMs,
} from "./summary-program.ts";
import { parseSummaryText } from "./summary-text.ts";

/** One session of a checkpoint, and its conversation as text that is no longer than a model can read. */
export interface SummaryRequest {
  readonly id: CheckpointId;
  readonly sessionId: string;
  readonly conversation: string;
  /** 2 minutes by default. */
  readonly timeoutMs?: number;
}

/**
 * Has the user's own command summarize a conversation, and stores what it says with the checkpoint. Nothing is changed
 * where it fails.
 * @throws KeyframeError `usage` where no command is set, `program-failed`, `timed-out`, `not-here`
 */
export async function summarizeSession(
  git: Git,
  deps: SummaryDeps & Pick<Machine, "clock">,
  request: SummaryRequest,
): Promise<void> {
  const { id, sessionId, conversation, timeoutMs = summaryTimeoutMs } = request;
  const command = await mustFindSummaryCommand(git);
  const { redactor, store: forNew } = readCaptureSettings(git.repository, deps);
  const place = await findWritingPlace(openCheckpointStores(git), id, forNew);
  const session = await mustReadSession(git, place, { id, sessionId });
  const redact = (text: string) => redactor.redactText(text);
  // a record of an older tool may hold what ours would have taken out
  const input = { conversation: redact(conversation), timeoutMs };
  const summary = parseSummaryText(await runSummaryCommand(deps, command, input), redact);
  if (summary === undefined) {
    throw new KeyframeError("program-failed", "the command of keyframe.summarize printed no summary");
  }
  session.metadata.set("summary", summary);
  await place.store.write([{ id, root: new Map(), sessions: [session] }], {
    message: commitMessage(place.store.kind, "summary"),
    nowSeconds: Math.floor(deps.clock.nowMs() / 1000),
  });
}

/** A session as it is stored, to be written again with more in its metadata. */
async function mustReadSession(
  git: Git,
  { store, tree }: WritingPlace,
  { id, sessionId }: Pick<SummaryRequest, "id" | "sessionId">,
): Promise<SessionWrite & { readonly metadata: JsonMap }> {
  const layout = layouts[store.kind];
  const sessions = tree === undefined ? [] : sessionsOf(tree);
  const oids = sessions.flatMap(({ metadata }) => metadata ?? []);
  const contents = await readSmallObjects(git, oids, maxMetadataBytes);
  // the newest of several with one id, as it is shown
  for (const files of sessions.toReversed()) {
    const content = files.metadata === undefined ? undefined : contents.get(files.metadata);
    const metadata = content instanceof Buffer ? parseJsonDocument(content.toString("utf8")) : undefined;
    if (!(metadata instanceof Map) || metadata.get("session_id") !== sessionId || files.index < 0) continue;
    const { others = new Map(), ...rest } = contentOfSession(files);
    const hash = layout.compactHashName;
    return {
      ...rest,
      others:
        hash === undefined || files.compactHash === undefined
          ? others
          : new Map([...others, [hash, { oid: files.compactHash }]]),
      metadata: new Map(layout.decodeSession(metadata)),
      slot: files.index,
    };
  }
  throw new KeyframeError(
    "not-here",
    `session ${sessionId} of checkpoint ${id} is in no store of this repository`,
    {
      hint: "a summary is stored with the checkpoint: who has it can make one",
    },
  );
}
