import { KeyframeError } from "../../base/errors.ts";
import { readCaptureSettings } from "../../checkpoints/capture/settings.ts";
import type { CheckpointId } from "../../checkpoints/record/ids.ts";
import { openCheckpointStores } from "../../checkpoints/stores/open-stores.ts";
import { findWritingPlace } from "../../checkpoints/stores/writing-place.ts";
import type { Git } from "../../git/git.ts";
import type { Machine } from "../../system/machine/machine.ts";
import { mustReadSession, rewriteSession } from "../stored-session.ts";
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
  await rewriteSession(place, id, {
    session,
    what: "summary",
    nowSeconds: Math.floor(deps.clock.nowMs() / 1000),
  });
}
