import { KeyframeError } from "../../base/errors.ts";
import { readCaptureSettings } from "../../checkpoints/capture/settings.ts";
import type { CheckpointId } from "../../checkpoints/record/ids.ts";
import { openCheckpointStores } from "../../checkpoints/stores/open-stores.ts";
import { findWritingPlace } from "../../checkpoints/stores/writing-place.ts";
import type { Git } from "../../git/git.ts";
import type { Machine } from "../../system/machine/machine.ts";
import { mustReadSession, rewriteSession } from "../stored-session.ts";
import { runUserProgram, type UserProgramDeps } from "../user-program.ts";
import { parseSummaryText } from "./summary-text.ts";

/** One session of a checkpoint, and its conversation as text that is no longer than a model can read. */
export interface SummaryRequest {
  readonly id: CheckpointId;
  readonly sessionId: string;
  readonly conversation: string;
  /** 2 minutes by default. */
  readonly timeoutMs?: number;
}

/** Longer than any model takes for an answer of a few lines. */
const summaryTimeoutMs = 120_000;

/**
 * Has the user's own command summarize a conversation, and stores what it says with the checkpoint. Nothing is changed
 * where it fails.
 * @throws KeyframeError `usage` where no command is set, `program-failed`, `timed-out`, `not-here`
 */
export async function summarizeSession(
  git: Git,
  deps: UserProgramDeps & Pick<Machine, "clock">,
  request: SummaryRequest,
): Promise<void> {
  const { id, sessionId, conversation, timeoutMs = summaryTimeoutMs } = request;
  const command = await mustFindSummaryCommand(git);
  const { redactor, store: forNew } = readCaptureSettings(git.repository, deps);
  const place = await findWritingPlace(openCheckpointStores(git), id, forNew);
  const session = await mustReadSession(git, place, { id, sessionId });
  const redact = (text: string) => redactor.redactText(text);
  // a record of an older tool may hold what ours would have taken out
  const program = {
    command,
    what: "the command of keyframe.summarize",
    input: redact(conversation),
    timeoutMs,
  };
  const summary = parseSummaryText(await runUserProgram(deps, program), redact);
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

/**
 * The shell command that the user set to make summaries. Only the user's own configuration counts: that of a repository
 * may have come with a copy of it, and would run whatever it says.
 */
async function mustFindSummaryCommand(git: Git): Promise<string> {
  const args = ["config", "--global", "--no-includes", "--get", "keyframe.summarize"];
  const command = (await git.text(args, { okCodes: [0, 1, 128] })).trim();
  if (command !== "") return command;
  throw new KeyframeError("usage", "no command for summaries is set", {
    hint: "set one that reads a conversation and prints a summary: `git config --global keyframe.summarize '<command>'`",
  });
}
