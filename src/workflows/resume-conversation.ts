import { formatBytes } from "../base/bytes.ts";
import { openTranscriptReader, type TranscriptReader } from "../checkpoints/query/read-transcript.ts";
import type { SyncContext } from "../checkpoints/remote/fetch/fetch-tips.ts";
import { findResumeTarget, type ResumeTarget } from "../checkpoints/resume/find-target.ts";
import { gatherSessions } from "../checkpoints/resume/gather-sessions.ts";
import type { GatheredSession } from "../checkpoints/resume/gathered-session.ts";
import {
  applyRestore,
  mustNotLoseWork,
  type PlannedRestore,
  planRestore,
  type RestoreDeps,
} from "../checkpoints/resume/restore-sessions.ts";
import { borrowFetched } from "../git/fetched-objects.ts";
import type { Remote } from "../git/remote/remote.ts";
import { checkOut, mustBeClean } from "../git/worktree/checkout.ts";
import { fault } from "../system/fault.ts";
import { freeTranscriptBytes } from "../transcripts/limits.ts";

export interface ResumeRequest {
  /** A branch, commit or checkpoint. */
  readonly word: string;
  /** Where to look for what is not here. */
  readonly remote: Remote | undefined;
  /** Take the place of conversations that have newer work here. */
  readonly force: boolean;
  /** Stop before the first change. */
  readonly dryRun: boolean;
}

export interface ResumeDeps extends Omit<RestoreDeps, "git" | "transcripts"> {
  readonly sync: SyncContext;
  /** Called once when nothing more is asked of the remote. */
  readonly onFetched: () => void;
}

export interface Resumption {
  readonly target: ResumeTarget;
  /** In the order in which the sessions were stored. */
  readonly planned: readonly PlannedRestore[];
  readonly receivedBytes: number;
}

/**
 * Brings a branch and the conversations behind it back. The order protects the user's work: everything is fetched and
 * checked before anything is changed, the checkout comes before the conversations, and a conversation that has newer
 * work here is an error before both.
 * @throws KeyframeError `refused` if the work tree has changes or work would be lost
 */
export async function resumeConversation(
  { sync, onFetched, ...deps }: ResumeDeps,
  { word, remote, force, dryRun }: ResumeRequest,
): Promise<Resumption> {
  const { git } = sync;
  const transcripts = openTranscriptReader(borrowFetched(git, deps.files));
  try {
    const target = await findResumeTarget(sync, remote, word);
    if (target.checkout !== undefined) await mustBeClean(git);
    const { sessions, receivedBytes } = await gatherSessions(sync, remote, target.checkpoints);
    onFetched();
    await tellSize(sync, transcripts, sessions);
    const restoring = { ...deps, git, transcripts };
    const planned = await planRestore(restoring, sessions);
    if (dryRun) return { target, planned, receivedBytes };
    if (!force) mustNotLoseWork(planned);
    fault("resume:before-checkout");
    if (target.checkout !== undefined) await checkOut(git, target.checkout);
    fault("resume:after-checkout");
    await applyRestore(restoring, planned);
    return { target, planned, receivedBytes };
  } finally {
    await transcripts.close();
  }
}

/** Told before anything is written, and refused where a few bytes stand for gigabytes. */
async function tellSize(
  sync: SyncContext,
  transcripts: TranscriptReader,
  sessions: readonly GatheredSession[],
): Promise<void> {
  const oids = sessions.flatMap(({ files, subagents }) => [
    ...files.transcript,
    ...subagents.map(({ oid }) => oid),
  ]);
  const sizeBytes = await transcripts.measure("what is to be restored", oids);
  if (sizeBytes > freeTranscriptBytes) sync.note(`the conversations have ${formatBytes(sizeBytes)}`);
}
