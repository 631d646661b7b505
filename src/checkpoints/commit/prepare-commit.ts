import { join } from "node:path";
import { resumeSha256 } from "../../base/resumable-sha256.ts";
import type { Git } from "../../git/git.ts";
import { isOid } from "../../git/ids.ts";
import { type Repository, readHeadFromFiles } from "../../git/repository.ts";
import { withIndexFile } from "../../git/worktree/staged-changes.ts";
import { readBaseCommit } from "../../journal/base-commit.ts";
import { fault } from "../../system/fault.ts";
import type { Processes } from "../../system/process/processes.ts";
import type { Random } from "../../system/random.ts";
import { subtractTokens } from "../../transcripts/scan/transcript-facts.ts";
import { type CaptureRecord, readCapture } from "../capture/record.ts";
import { recordedPrompts } from "../capture/recorded-prompts.ts";
import { type CaptureDeps, captureTranscript, type StoringDeps } from "../capture/transcript.ts";
import {
  addCheckpointTrailers,
  isOnlyTrailers,
  type MessageStyle,
  messageCheckpoints,
  removeOwnTrailers,
} from "../record/commit-message.ts";
import {
  type CreditStyle,
  creditedAgent,
  creditTrailer,
  parseCreditStyle,
} from "../record/credit-trailers.ts";
import { newCheckpointId } from "../record/ids.ts";
import { namedCheckpoints } from "../record/trailers.ts";
import { isSessionId, readSessionState } from "../sessions/directory.ts";
import { countOfState, type SessionState, textOfState } from "../sessions/state.ts";
import { readAttached } from "./attached-sessions.ts";
import {
  forgetLinkedHead,
  type PreparedSession,
  readLinkedHead,
  setEditing,
  writePrepared,
  writeSeenHead,
} from "./commit-directory.ts";
import { type LinkedSession, linkSessions } from "./link-sessions.ts";
import { findUndoneCheckpoints } from "./undone-commits.ts";

export interface CommitDeps extends StoringDeps {
  readonly random: Random;
  readonly processes: Processes;
}

/** What git tells its `prepare-commit-msg` hook. */
export interface MessageRequest {
  readonly messagePath: string;
  /** `message`, `template`, `merge`, `squash`, `commit` or empty. */
  readonly source: string;
  /** The commit whose message is taken, where `source` is `commit`. */
  readonly commit: string;
  /** The index that the commit is made from; undefined: the repository's own. */
  readonly indexFile: string | undefined;
  /** False where git will take the message as it is, comment signs included. */
  readonly hasEditor: boolean;
  /** True if git was told to amend, which `source` does not say beside `-m`. */
  readonly amends: boolean;
}

/**
 * Names a checkpoint in the message of a commit that holds sessions' work. What the checkpoint will say is durable
 * before the message names it. An amend keeps its checkpoint; a squash names those of all its commits; merges, and
 * commits that a rebase, cherry-pick or revert repeats, are left alone.
 */
export async function prepareCommit(git: Git, deps: CommitDeps, request: MessageRequest): Promise<void> {
  const { repository } = git;
  if (request.source === "merge" || isRepeating(git, deps)) return;
  const message = deps.files.read(request.messagePath).toString("utf8");
  const head = readBaseCommit(repository, deps.files, deps.processes);
  writeSeenHead(repository, deps.files, head);
  const linkedHead = readLinkedHead(repository, deps.files);
  if (linkedHead !== undefined && linkedHead.commit !== head) forgetLinkedHead(repository, deps.files);
  const lost = request.amends && linkedHead?.commit === head ? linkedHead.ids : [];
  const inherited = request.source === "squash" ? namedCheckpoints(message) : lost;
  const attached = readAttached(repository, deps.files);
  const [{ style, keepsComments, creditStyle }, linked] = await Promise.all([
    readMessageStyle(git, request, message),
    deps.trace.span("link", () =>
      linkSessions(withIndexFile(git, request.indexFile), deps, { head, attached }),
    ),
  ]);
  const undone =
    inherited.length > 0 || !isOid(head)
      ? []
      : await findUndoneCheckpoints(withIndexFile(git, request.indexFile), deps, head);
  const present = messageCheckpoints(message, style);
  const ids = present.length > 0 && request.amends ? present : [...inherited, ...undone];
  // a message that is given anew has lost what named the agents of the work that stays
  const credits = creditStyle !== undefined && lost.length > 0 ? await readCredits(git) : [];
  if (linked.length > 0) {
    // an amend's new work goes to the checkpoint that the commit has
    const kept = request.amends ? ids.at(-1) : undefined;
    const id = kept ?? newCheckpointId(deps.random);
    const sessions = await prepareSessions(git, deps, linked);
    writePrepared(repository, deps.files, {
      version: 1,
      id,
      head,
      sessions,
      updates: kept !== undefined,
      store: deps.store,
      branch: branchName(repository, deps),
      at: deps.clock.nowMs(),
    });
    fault("build-checkpoint:after-record-before-message");
    ids.push(id);
    if (creditStyle !== undefined)
      credits.push(...sessions.map(({ agent }) => creditTrailer(creditStyle, agent)));
  }
  const next = addCheckpointTrailers(message, {
    ids: [...new Set(ids)],
    style,
    credits: [...new Set(credits)],
    hints: keepsComments ? [] : hintsFor(linked),
  });
  setEditing(repository, deps.files, request.hasEditor && isOnlyTrailers(next, style));
  if (next === message) return;
  const mode = deps.files.statIfExists(request.messagePath)?.mode ?? 0o644;
  deps.files.replaceWithoutSync(request.messagePath, Buffer.from(next), { mode });
}

/** git's `commit-msg` hook: a message that nobody wrote is empty again, so that git gives the commit up. */
export async function checkMessage(git: Git, deps: CaptureDeps, messagePath: string): Promise<void> {
  setEditing(git.repository, deps.files, false);
  const message = deps.files.read(messagePath).toString("utf8");
  const request = { hasEditor: true };
  const { style } = await readMessageStyle(git, request, message);
  if (!isOnlyTrailers(message, style)) return;
  const mode = deps.files.statIfExists(messagePath)?.mode ?? 0o644;
  deps.files.replaceWithoutSync(messagePath, Buffer.from(removeOwnTrailers(message)), { mode });
}

/** The trailers of HEAD that name agents. */
async function readCredits(git: Git): Promise<string[]> {
  const message = await git.text(["log", "-1", "--format=%B", "HEAD", "--"]);
  return message.split("\n").filter((line) => creditedAgent(line) !== undefined);
}

/** True while git repeats commits that were made before. */
export function isRepeating({ repository }: Git, { files }: Pick<CaptureDeps, "files">): boolean {
  return ["rebase-merge", "rebase-apply", "CHERRY_PICK_HEAD", "REVERT_HEAD", "sequencer"].some(
    (name) => files.statIfExists(join(repository.gitDir, name)) !== undefined,
  );
}

async function readMessageStyle(
  git: Git,
  { hasEditor }: Pick<MessageRequest, "hasEditor">,
  message: string,
): Promise<{
  readonly style: MessageStyle;
  readonly keepsComments: boolean;
  readonly creditStyle: CreditStyle | undefined;
}> {
  const keys = "^(core\\.comment(char|string)|commit\\.cleanup|keyframe\\.trailer)$";
  const args = ["config", "-z", "--get-regexp", keys];
  const { stdout } = await git.run(args, { okCodes: [0, 1] });
  let comment = "#";
  let cleanup = "default";
  let creditStyle: CreditStyle | undefined;
  for (const entry of stdout.toString("utf8").split("\0")) {
    const at = entry.indexOf("\n");
    if (entry.startsWith("commit.cleanup")) cleanup = entry.slice(at + 1);
    else if (entry.startsWith("keyframe.trailer")) creditStyle = parseCreditStyle(entry.slice(at + 1));
    else if (at !== -1) comment = entry.slice(at + 1);
  }
  if (comment === "auto") comment = commentSignIn(message);
  const strips = cleanup === "strip" || cleanup === "scissors" || (cleanup === "default" && hasEditor);
  // an editor shows git's own comments even where they are not taken out: text goes before them all the same
  const style = { comment: strips || hasEditor ? comment : undefined };
  return { style, keepsComments: !strips, creditStyle };
}

/** The sign that git chose for its comments, seen at the last line; it is one of these. */
function commentSignIn(message: string): string {
  const last = message.trimEnd().split("\n").at(-1)?.[0] ?? "";
  return "#;@!$%^&|:".includes(last) && last !== "" ? last : "#";
}

function hintsFor(linked: readonly LinkedSession[]): string[] {
  if (linked.length === 0) return [];
  const what =
    linked.length === 1 ? "a conversation whose work is" : `${linked.length} conversations whose work is`;
  return [`Keyframe found ${what} in this commit; remove the trailer above to leave it unlinked.`];
}

/** The short name of the branch, as it is stored; empty on a detached HEAD. */
export function branchName(repository: Repository, deps: CommitDeps): string {
  const ref = readHeadFromFiles(repository, deps.files)?.ref;
  return deps.redactor.redactText(ref?.replace(/^refs\/heads\//, "") ?? "");
}

export async function prepareSessions(
  git: Git,
  deps: CommitDeps,
  linked: readonly LinkedSession[],
): Promise<PreparedSession[]> {
  const sessions: PreparedSession[] = [];
  for (const session of linked)
    sessions.push(await deps.trace.span("session", () => prepareSession(git, deps, session)));
  return sessions;
}

async function prepareSession(git: Git, deps: CommitDeps, linked: LinkedSession): Promise<PreparedSession> {
  const { repository } = git;
  const { agent } = linked;
  const state = isSessionId(agent.id) ? readSessionState(deps, repository, agent.id) : undefined;
  const record = await bringUpToDate(git, deps, { linked, state });
  const facts = record?.facts;
  const startLine = Math.min(
    state === undefined ? 0 : countOfState(state, "checkpoint_transcript_start"),
    facts?.lines ?? 0,
  );
  const hash = record === undefined ? undefined : resumeSha256(record.redactedHash);
  const seen = facts?.prompts ?? [];
  const inScope = seen.filter(({ line }) => line >= startLine);
  const texts = (inScope.length > 0 ? inScope : seen.slice(-1)).map(({ text }) => text);
  return {
    agent: { ...agent, model: facts?.model ?? agent.model },
    files: linked.files.map((path) => deps.redactor.redactText(path)),
    turnId: (state && textOfState(state, "turn_id")) ?? "",
    steps: Math.max(1, state === undefined ? 1 : countOfState(state, "checkpoint_count")),
    transcript:
      record === undefined || hash === undefined
        ? undefined
        : {
            generation: record.generation,
            bytes: record.redactedBytes,
            sha256: hash.digest(),
            lines: record.facts.lines,
            startLine,
          },
    prompts: texts.length > 0 ? texts : recordedPrompts(repository, deps, agent),
    ...(facts?.summary === undefined ? {} : { summary: facts.summary }),
    // of a conversation that was started in another repository they count there
    tokens:
      record === undefined ||
      record.facts.tokens.calls === 0 ||
      (state !== undefined && textOfState(state, "started_in") !== undefined)
        ? undefined
        : subtractTokens(record.facts.tokens, record.tokensAtStart),
  };
}

/** A transcript that cannot be read now leaves what was taken over before. */
async function bringUpToDate(
  { repository }: Git,
  deps: CommitDeps,
  { linked, state }: { readonly linked: LinkedSession; readonly state: SessionState | undefined },
): Promise<CaptureRecord | undefined> {
  const known = readCapture(repository, deps.files, linked.agent);
  const transcriptPath = (state && textOfState(state, "transcript_path")) ?? known?.transcriptPath;
  if (transcriptPath === undefined) return known;
  return (await captureTranscript(deps, repository, { agent: linked.agent, transcriptPath })) ?? known;
}
