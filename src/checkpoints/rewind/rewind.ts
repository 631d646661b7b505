import { dirname, join } from "node:path";
import { KeyframeError } from "../../base/errors.ts";
import { shellQuote } from "../../base/text/shell-words.ts";
import type { Git } from "../../git/git.ts";
import { isOid, type Oid, type RepoPath } from "../../git/ids.ts";
import { readIndexTree } from "../../git/worktree/index-tree.ts";
import type { WorkTreeIndex, WorkTreeState } from "../../git/worktree/worktree-index.ts";
import { fault } from "../../system/fault.ts";
import type { Files } from "../../system/files/files.ts";
import type { LockDeps } from "../../system/locks/lock-file.ts";
import { recordSnapshot, withWorkTreeIndex } from "../capture/turn-snapshots.ts";
import { isSessionId, readSessionState } from "../sessions/directory.ts";
import { phaseOf } from "../sessions/state.ts";
import { findStuckSessions } from "../sessions/stuck-sessions.ts";
import { backUpConversations, backUpFile, putBack } from "./conversation-backups.ts";
import {
  applyConversation,
  type ConversationDeps,
  type ConversationPlan,
  planConversations,
} from "./conversation-rewind.ts";
import {
  applyHeadMove,
  type BranchMove,
  mustNotLeavePushed,
  planHeadMove,
  planHeadReturn,
} from "./head-move.ts";
import { type FilePlan, planFiles } from "./plan-rewind.ts";
import { type RewindPoint, treeOfPoint } from "./rewind-points.ts";
import {
  type HeadRecord,
  type RewindRecord,
  readRewindRecord,
  safetyRef,
  writeRewindRecord,
} from "./rewind-record.ts";

export type RewindDeps = LockDeps & ConversationDeps;

export interface RewindParts {
  readonly files: boolean;
  readonly conversation: boolean;
  /** HEAD with its branch and the index as well, as `git reset` moves them. */
  readonly head?: boolean;
}

export interface RewindOptions {
  readonly dryRun: boolean;
  /** Also where commits leave the branch that a remote holds, or that were made after the rewind. */
  readonly force?: boolean;
}

export interface RewindPlan {
  /** The snapshot that `undo` goes back to; undefined in a dry run. */
  readonly safety: Oid | undefined;
  readonly files: FilePlan;
  readonly conversation: ConversationPlan;
  /** Undefined where HEAD stays. */
  readonly head: BranchMove | undefined;
}

const nothing: FilePlan = { steps: [], kept: [] };

/**
 * Brings the work tree, the conversation or both back to a point, and HEAD where that is asked for; else HEAD and the
 * index stay. A snapshot of how things were is durable first, and a rewind that was killed is taken back by
 * `undoRewind` or gone on with by the same call.
 * @throws KeyframeError `refused` while another rewind is half done, or where commits would go that a remote holds
 */
export async function rewind(
  git: Git,
  deps: RewindDeps,
  request: RewindOptions & { readonly point: RewindPoint; readonly parts: RewindParts },
): Promise<RewindPlan> {
  const { point, parts } = request;
  return withWorkTreeIndex(git, deps, async (index) => {
    const last = readRewindRecord(git.repository, deps.files);
    const begun = last?.state === "begun" ? last : undefined;
    if (begun !== undefined && !request.dryRun) mustGoOnWith(begun, request);
    const state = await index.takeTree();
    const to = await treeOfPoint(git, point);
    const { files, conversation } = await planParts(git, deps, { ...request, state, to });
    const head = parts.head ? await planHeadMove(git, deps.files, point) : undefined;
    if (request.dryRun) return { safety: undefined, files, conversation, head };
    if (head !== undefined && !request.force && begun === undefined) mustNotLeavePushed(head);
    for (const { session, unchanged } of conversation.steps)
      if (!unchanged) mustNotBeAtWork(git, deps, session);
    const before = begun ?? (await remember(git, deps, { state, before: point.id, head }));
    const { safety } = before;
    const backups = begun?.backups ?? backUpConversations(git, deps.files, { conversation, safety });
    const record: RewindRecord = {
      version: 1,
      target: point.id,
      safety,
      state: "begun",
      withFiles: parts.files,
      backups,
      ...(before.head === undefined ? {} : { head: before.head }),
    };
    writeRewindRecord(git, deps.files, record);
    fault("rewind:after-record");
    if (parts.files) await applyFiles(git, deps.files, { index, plan: files, to });
    fault("rewind:after-files");
    for (const step of conversation.steps) await applyConversation(git, deps, step);
    fault("rewind:after-conversation");
    if (head !== undefined) await applyHeadMove(git, head);
    writeRewindRecord(git, deps.files, { ...record, state: "done" });
    return { safety, files, conversation, head };
  });
}

/** @throws KeyframeError `refused` unless a rewind is the one that was cut off */
function mustGoOnWith(
  begun: RewindRecord,
  { point, parts }: { readonly point: RewindPoint; readonly parts: RewindParts },
): void {
  if (begun.target === point.id && (begun.head !== undefined) === (parts.head === true)) return;
  const quotedPoint = `${shellQuote(begun.target)}${begun.head === undefined ? "" : " --reset"}`;
  throw new KeyframeError("refused", `a rewind to ${begun.target} was cut off`, {
    hint: `take it back with \`keyframe rewind --undo\`, or finish it with \`keyframe rewind --to ${quotedPoint}\``,
  });
}

async function planParts(
  git: Git,
  deps: RewindDeps,
  request: {
    readonly point: RewindPoint;
    readonly parts: RewindParts;
    readonly state: WorkTreeState;
    readonly to: Oid;
  },
): Promise<Pick<RewindPlan, "files" | "conversation">> {
  const { point, parts, to } = request;
  const { tree: from, untaken } = request.state;
  const keepsUntracked = point.kind === "checkpoint" || point.kind === "commit";
  const files = parts.files ? await planFiles(git, deps.files, { from, to, keepsUntracked }) : nothing;
  return {
    files: { ...files, steps: files.steps.filter(({ path }) => !untaken.includes(path)) },
    conversation: parts.conversation
      ? await planConversations(git, deps, point)
      : { steps: [], problems: [] },
  };
}

/** Makes durable how things are: the files, and where HEAD moves also the index and the commit it was on. */
async function remember(
  git: Git,
  deps: RewindDeps,
  {
    state,
    before,
    head,
  }: { readonly state: WorkTreeState; readonly before: string; readonly head: BranchMove | undefined },
): Promise<{ readonly safety: Oid; readonly head: HeadRecord | undefined }> {
  const ref = safetyRef(git.repository);
  const at = new Date(deps.clock.nowMs()).toISOString();
  const safety = await recordSnapshot(git, deps, { ref, state, facts: { version: 1, before, at } });
  if (head === undefined) return { safety, head: undefined };
  const index = await readIndexTree(git, deps.files);
  // behind the snapshot, so that the first parents of the ref stay those of snapshots
  await recordSnapshot(git, deps, {
    ref,
    state: { tree: index, untaken: [] },
    facts: { version: 1, indexOf: safety, at },
    parents: [head.from],
  });
  return { safety, head: { ref: head.ref ?? null, from: head.from, to: head.to, index } };
}

/** An agent in the middle of a turn holds its conversation in memory, and would write on behind what was cut. */
function mustNotBeAtWork({ repository }: Git, deps: RewindDeps, session: string): void {
  const state = isSessionId(session) ? readSessionState(deps, repository, session) : undefined;
  if (state === undefined || phaseOf(state) !== "active") return;
  if (findStuckSessions(deps, repository).some(({ id }) => id === session)) return;
  throw new KeyframeError("refused", `session ${session} is in the middle of a turn`, {
    hint: `stop its agent first; if it is gone already: \`keyframe session stop ${shellQuote(session)}\`. \`--files\` rewinds the files alone`,
  });
}

/**
 * Takes the last rewind back: the work tree, the conversations and HEAD are as they were before it. That is a rewind
 * itself, so doing it twice ends where it began. @throws KeyframeError `not-found`, `refused` where HEAD went on since
 */
export async function undoRewind(
  git: Git,
  deps: RewindDeps,
  { dryRun, force = false }: RewindOptions,
): Promise<RewindPlan> {
  return withWorkTreeIndex(git, deps, async (index) => {
    const last = mustHaveRewound(git, deps.files);
    const head =
      last.head === undefined ? undefined : await planHeadReturn(git, deps.files, { head: last.head, force });
    const state = await index.takeTree();
    const to = await git.text(["rev-parse", "--verify", `${last.safety}^{tree}`]);
    if (!isOid(to)) throw new KeyframeError("not-here", `the snapshot ${last.safety} is gone`);
    const files = last.withFiles
      ? await planFiles(git, deps.files, { from: state.tree, to, keepsUntracked: false })
      : nothing;
    const conversation = { steps: [], problems: [] };
    if (dryRun) return { safety: undefined, files, conversation, head };
    if (head !== undefined && !force) mustNotLeavePushed(head);
    // of a rewind that was cut off only what was before it is worth going back to
    const now =
      last.state === "begun"
        ? { safety: last.safety, head: last.head }
        : await remember(git, deps, { state, before: "undo", head });
    const { safety } = now;
    const backups = last.backups.map(({ path }, place) => ({
      path,
      backup: backUpFile(git, deps.files, { path, name: `${safety}-${place}-undo` }),
    }));
    if (last.withFiles) await applyFiles(git, deps.files, { index, plan: files, to });
    fault("rewind:undo-after-files");
    for (const { path, backup } of last.backups) putBack(deps.files, { path, backup });
    if (head !== undefined) await applyHeadMove(git, head, last.head?.index);
    const back = now.head === undefined ? {} : { head: now.head };
    writeRewindRecord(git, deps.files, { ...last, ...back, target: "undo", safety, state: "done", backups });
    return { safety, files, conversation, head };
  });
}

function mustHaveRewound({ repository }: Git, files: Files): RewindRecord {
  const last = readRewindRecord(repository, files);
  if (last !== undefined) return last;
  throw new KeyframeError("not-found", "nothing was rewound in this worktree", {
    hint: "see `keyframe rewind --list`",
  });
}

/** Carries a plan out; the index of the snapshots then holds the tree. */
export async function applyFiles(
  git: Git,
  files: Files,
  { index, plan, to }: { readonly index: WorkTreeIndex; readonly plan: FilePlan; readonly to: Oid },
): Promise<void> {
  const top = git.repository.workTree ?? "";
  const folders = new Set<string>();
  for (const { path, action } of plan.steps) {
    if (action !== "remove") continue;
    // a directory that became a link meanwhile would lead elsewhere
    if (!staysInside(files, top, path)) continue;
    files.remove(join(top, path));
    for (let folder = dirname(path); folder !== "."; folder = dirname(folder)) folders.add(folder);
  }
  for (const folder of [...folders].sort((a, b) => b.length - a.length))
    files.removeEmptyFolder(join(top, folder));
  fault("rewind:after-removals");
  const written = plan.steps.filter(({ action }) => action === "write").map(({ path }) => path);
  await index.load(to);
  fault("rewind:before-check-out");
  await index.checkOut(written);
}

function staysInside(files: Files, top: string, path: RepoPath): boolean {
  for (let folder = dirname(path); folder !== "."; folder = dirname(folder)) {
    const stat = files.statIfExists(join(top, folder));
    if (stat !== undefined && stat.kind !== "folder") return false;
  }
  return true;
}
