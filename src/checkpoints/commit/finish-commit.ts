import { sessionKey } from "../../authorship/note/keys.ts";
import { errorText } from "../../base/errors.ts";
import type { JsonMap } from "../../base/json-document.ts";
import type { Git } from "../../git/git.ts";
import { isOid, type Oid } from "../../git/ids.ts";
import { recordProblem } from "../../state/problems.ts";
import { fault } from "../../system/fault.ts";
import { addTranscriptTokens } from "../../transcripts/scan/transcript-facts.ts";
import { withCapture } from "../capture/transcript.ts";
import type { StoredChunk } from "../capture/transcript-chunks.ts";
import type { CheckpointId } from "../record/ids.ts";
import { namedCheckpoints, trailingCheckpoints } from "../record/trailers.ts";
import { isSessionId, listMarked, markSession, updateSessionState } from "../sessions/directory.ts";
import { applyActions } from "../sessions/events.ts";
import { pendingWork } from "../sessions/pending-work.ts";
import { nextPhase } from "../sessions/phase.ts";
import { listOfState, phaseOf } from "../sessions/state.ts";
import { commitMessage } from "../stores/commit-message.ts";
import { openCheckpointStores } from "../stores/open-stores.ts";
import { encodeSessions, parseSessions, readStoredSessions } from "../stores/stored-sessions.ts";
import { findWritingPlace, type WritingPlace } from "../stores/writing-place.ts";
import { readAttached, setAttached } from "./attached-sessions.ts";
import { type BuiltCheckpoint, buildCheckpoint } from "./build-checkpoint.ts";
import {
  listPrepared,
  type PreparedCheckpoint,
  type PreparedSession,
  removePrepared,
  writeLinkedHead,
  writePrepared,
} from "./commit-directory.ts";
import { type CommitDeps, isRepeating } from "./prepare-commit.ts";

/** A message may lie in an editor for as long as this before its commit is taken for given up. */
const maxPreparedAgeMs = 24 * 60 * 60 * 1000;
const maxCommitsSearched = 200;

/** A checkpoint of the commit that HEAD is on, stored just now. */
export interface FinishedCheckpoint {
  readonly id: CheckpointId;
  /** Our names of its sessions' agents. */
  readonly tools: readonly string[];
  /** How many files of the commit they worked on. */
  readonly files: number;
}

/**
 * Stores the checkpoints that commits name by now, and releases those that were prepared for commits that do not:
 * the trailer was removed, or the commit was given up. Idempotent: it runs behind `git commit`, and again by the next
 * command or hook where that was cut off. The commits have been settled before. Returns what HEAD's commit got.
 */
export async function finishCommits(git: Git, deps: CommitDeps): Promise<readonly FinishedCheckpoint[]> {
  const { repository } = git;
  const prepared = listPrepared(repository, deps.files);
  if (isRepeating(git, deps)) return [];
  const finished: FinishedCheckpoint[] = [];
  const commits = prepared.length === 0 ? [] : await recentCommits(git);
  const head = commits[0];
  // where HEAD was before, as its reflog tells: an amend's parent is not what it was made on
  const before = commits.find(({ oid }) => oid !== head?.oid)?.oid;
  for (const checkpoint of prepared) {
    try {
      const commit =
        checkpoint.commit ??
        commitsAfter(commits, checkpoint.head).find(({ named }) => named.includes(checkpoint.id))?.oid;
      if (commit !== undefined) {
        await finishCommit(git, deps, { prepared: checkpoint, commit });
        if (commit === head?.oid) finished.push(describeFinished(checkpoint));
      }
      // HEAD is the commit that it was made for, and its message does not name it
      else if (
        [head?.parent, before].includes(checkpoint.head) ||
        deps.clock.nowMs() - checkpoint.at > maxPreparedAgeMs
      )
        removePrepared(repository, deps.files, checkpoint.id);
    } catch (error) {
      // the commit stands; the next run tries again with what was prepared
      recordProblem(repository, deps.files, {
        at: deps.clock.nowMs(),
        where: "checkpoint",
        what: `${checkpoint.id} is prepared and not stored yet: ${errorText(error)}`,
      });
    }
  }
  const late = prepared.find(({ commit }) => commit !== undefined && commit === head?.oid);
  const ids = head === undefined || head.ids.length > 0 || late === undefined ? head?.ids : [late.id];
  if (head !== undefined && ids !== undefined && ids.length > 0)
    writeLinkedHead(repository, deps.files, { commit: head.oid, ids });
  if (head !== undefined) moveBases(git, deps, head.oid);
  return finished;
}

function describeFinished({ id, sessions }: PreparedCheckpoint): FinishedCheckpoint {
  const tools = new Set(sessions.map(({ agent }) => agent.tool));
  const files = new Set(sessions.flatMap((session) => session.files));
  return { id, tools: [...tools], files: files.size };
}

interface NamingCommit {
  readonly oid: Oid;
  /** The first parent, `initial` for a root commit. */
  readonly parent: string;
  readonly ids: readonly CheckpointId[];
  /** Anywhere in the message: another hook may have written behind the trailer. */
  readonly named: readonly CheckpointId[];
}

/** An amend that was given up leaves HEAD as it was, which may name the checkpoint already: only newer ones count. */
function commitsAfter(commits: readonly NamingCommit[], head: string): readonly NamingCommit[] {
  const at = commits.findIndex(({ oid }) => oid === head);
  return at === -1 ? commits : commits.slice(0, at);
}

/** HEAD and where it was lately, newest first, from its reflog: an amended or reset commit still counts. */
async function recentCommits(git: Git): Promise<NamingCommit[]> {
  const args = [
    "log",
    "--no-show-signature",
    `--max-count=${maxCommitsSearched}`,
    "--format=%H%x00%P%x00%B%x00%x1e",
  ];
  const [own, moved] = await Promise.all([
    git.run([...args, "--max-count=1", "HEAD", "--"], { okCodes: [0, 128] }),
    git.run([...args, "-g", "HEAD", "--"], { okCodes: [0, 128] }),
  ]);
  const records = `${own.stdout.toString("utf8")}${moved.stdout.toString("utf8")}`.split("\0\x1e");
  return records.flatMap((record) => {
    const [oid = "", parents = "", message = ""] = record.trimStart().split("\0");
    if (!isOid(oid)) return [];
    return [
      {
        oid,
        parent: parents.split(" ")[0] || "initial",
        ids: trailingCheckpoints(message),
        named: namedCheckpoints(message),
      },
    ];
  });
}

async function finishCommit(
  git: Git,
  deps: CommitDeps,
  { prepared, commit }: { readonly prepared: PreparedCheckpoint; readonly commit: Oid },
): Promise<void> {
  const stores = openCheckpointStores(git);
  // the id of a new one is nowhere yet: only what is added to is looked for
  const place = prepared.updates
    ? await findWritingPlace(stores, prepared.id, prepared.store)
    : { store: stores[prepared.store], tree: undefined };
  const stored = await baseOf(git, deps, { prepared, place });
  const { kind } = place.store;
  const built = await deps.trace.span("build-checkpoint", () =>
    buildCheckpoint(git, deps, { prepared, commit, stored, kind }),
  );
  fault("build-checkpoint:before-store");
  await deps.trace.span("store", () =>
    place.store.write([built.write], {
      message: commitMessage(kind, "checkpoint"),
      nowSeconds: Math.floor(deps.clock.nowMs() / 1000),
    }),
  );
  fault("build-checkpoint:after-store-before-state");
  await deps.trace.span("state", () => afterStore(git, deps, { prepared, commit, built }));
  fault("build-checkpoint:after-state-before-remove");
  removePrepared(git.repository, deps.files, prepared.id);
}

/** What the checkpoint held before this was added, noted down before it is. */
async function baseOf(
  git: Git,
  deps: CommitDeps,
  { prepared, place }: { readonly prepared: PreparedCheckpoint; readonly place: WritingPlace },
): Promise<Map<string, JsonMap>> {
  if (!prepared.updates) return new Map();
  if (prepared.base !== undefined) return parseSessions(prepared.base);
  const stored = await readStoredSessions(git, place.tree);
  writePrepared(git.repository, deps.files, { ...prepared, base: encodeSessions(stored) });
  return stored;
}

async function afterStore(
  git: Git,
  deps: CommitDeps,
  done: { readonly prepared: PreparedCheckpoint; readonly commit: Oid; readonly built: BuiltCheckpoint },
): Promise<void> {
  const { repository } = git;
  const { prepared, commit, built } = done;
  const remaining = pendingWork(
    repository,
    deps.files,
    prepared.sessions.map(({ agent }) => agent),
  );
  for (const session of prepared.sessions) {
    const isOpen = await rememberStored(git, deps, {
      session,
      chunks: built.chunks.get(session) ?? [],
      key: `${prepared.id}@${prepared.at}`,
    });
    const attached = readAttached(repository, deps.files).find(({ agent }) => agent.id === session.agent.id);
    const waiting = attached?.files.filter((path) => !session.files.includes(path)) ?? [];
    if (attached !== undefined) setAttached(repository, deps.files, { agent: session.agent, files: waiting });
    const left = [...new Set([...(remaining.get(sessionKey(session.agent)) ?? []), ...waiting])];
    moveSession(git, deps, { session, commit, id: prepared.id, left, isOpen });
  }
}

/** Notes which chunks are stored, and where the tokens of the next checkpoint begin. True if the turn's end is not known yet. */
async function rememberStored(
  { repository }: Git,
  deps: CommitDeps,
  {
    session,
    chunks,
    key,
  }: {
    readonly session: PreparedSession;
    readonly chunks: readonly StoredChunk[];
    /** Of this very commit's record. */
    readonly key: string;
  },
): Promise<boolean> {
  const { transcript, tokens } = session;
  if (transcript === undefined) return false;
  const record = await withCapture(deps, repository, session.agent, (known) => {
    if (known === undefined || known.generation !== transcript.generation || known.countedFor === key)
      return undefined;
    const total =
      tokens === undefined ? known.tokensAtStart : addTranscriptTokens(known.tokensAtStart, tokens);
    return {
      ...known,
      chunks: known.document ? [] : chunks.map(({ offsetBytes, oid }) => ({ offsetBytes, oid })),
      tokensAtStart: total,
      countedFor: key,
    };
  });
  return record?.facts.open === true;
}

function moveSession(
  { repository }: Git,
  deps: CommitDeps,
  {
    session,
    commit,
    id,
    left,
    isOpen,
  }: {
    readonly session: PreparedSession;
    readonly commit: Oid;
    readonly id: CheckpointId;
    readonly left: readonly string[];
    readonly isOpen: boolean;
  },
): void {
  if (!isSessionId(session.agent.id)) return;
  const state = updateSessionState(deps, { repository, id: session.agent.id }, (state) => {
    if (state === undefined) return undefined;
    const hasFiles = listOfState(state, "files_touched").length > 0;
    const { phase, actions } = nextPhase(phaseOf(state), "git-commit", { hasFiles });
    state.set("phase", phase);
    applyActions(state, actions, deps.clock.nowMs());
    state.set("base_commit", commit);
    state.set("attribution_base_commit", commit);
    state.set("files_touched", [...left]);
    state.set("checkpoint_count", left.length > 0 ? 1 : 0);
    // work that is carried on keeps the part of the conversation that it came from
    if (left.length === 0 && session.transcript !== undefined)
      state.set("checkpoint_transcript_start", session.transcript.lines);
    state.set("last_checkpoint_id", left.length > 0 ? "" : id);
    state.delete("token_usage");
    const isUnfinished = phase === "active" || isOpen;
    const unfinished = listOfState(state, "turn_checkpoint_ids").filter((other) => other !== id);
    if (isUnfinished) state.set("turn_checkpoint_ids", [...unfinished, id]);
    return state;
  });
  if (state !== undefined && listOfState(state, "turn_checkpoint_ids").length > 0)
    markSession(deps, { repository, id: session.agent.id, mark: "unfinished" }, true);
}

/** Sessions at work stand on the new HEAD, with or without work in the commit. */
function moveBases({ repository }: Git, deps: CommitDeps, head: Oid): void {
  for (const id of listMarked(deps, repository, "at-work")) {
    updateSessionState(deps, { repository, id }, (state) => {
      if (state === undefined || state.get("base_commit") === head) return undefined;
      return state.set("base_commit", head);
    });
  }
}
