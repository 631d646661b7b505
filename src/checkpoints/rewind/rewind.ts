import { dirname, join } from "node:path";
import { KeyframeError } from "../../base/errors.ts";
import { shellQuote } from "../../base/text/shell-words.ts";
import type { Git } from "../../git/git.ts";
import { isOid, type Oid, type RepoPath } from "../../git/ids.ts";
import type { Repository } from "../../git/repository.ts";
import type { WorkTreeIndex } from "../../git/worktree/worktree-index.ts";
import { encodeRecordLine, parseRecordLine } from "../../journal/record-line.ts";
import { fault } from "../../system/fault.ts";
import type { Files } from "../../system/files/files.ts";
import type { LockDeps } from "../../system/locks/lock-file.ts";
import { recordSnapshot, withWorkTreeIndex } from "../capture/turn-snapshots.ts";
import { isSessionId, readSessionState } from "../sessions/directory.ts";
import { phaseOf } from "../sessions/state.ts";
import { findStuckSessions } from "../sessions/stuck-sessions.ts";
import {
  applyConversation,
  type ConversationDeps,
  type ConversationPlan,
  planConversations,
} from "./conversation-rewind.ts";
import { type FilePlan, planFiles } from "./plan-rewind.ts";
import { type RewindPoint, treeOfPoint } from "./rewind-points.ts";

export type RewindDeps = LockDeps & ConversationDeps;

export interface RewindParts {
  readonly files: boolean;
  readonly conversation: boolean;
}

export interface RewindPlan {
  /** The snapshot that `undo` goes back to; undefined in a dry run. */
  readonly safety: Oid | undefined;
  readonly files: FilePlan;
  readonly conversation: ConversationPlan;
}

/** The last rewind: written before anything is changed, so that it can be taken back though it was cut off. */
export interface RewindRecord {
  readonly version: 1;
  readonly target: string;
  readonly safety: Oid;
  readonly state: "begun" | "done";
  /** False where only the conversation was rewound: files are then not taken back either. */
  readonly withFiles: boolean;
  /** Conversations as they were: a copy each, or none where there was no file. */
  readonly backups: readonly { readonly path: string; readonly backup: string | null }[];
}

export const safetyRefPrefix = "refs/keyframe/safety/";
const nothing: FilePlan = { steps: [], kept: [] };

/**
 * Brings the work tree, the conversation or both back to a point. HEAD and the index stay. A snapshot of how things
 * were is durable first, and a rewind that was killed is taken back by `undoRewind` or gone on with by the same call.
 * @throws KeyframeError `refused` while another rewind is half done
 */
export async function rewind(
  git: Git,
  deps: RewindDeps,
  request: { readonly point: RewindPoint; readonly parts: RewindParts; readonly dryRun: boolean },
): Promise<RewindPlan> {
  const { point, parts } = request;
  return withWorkTreeIndex(git, deps, async (index) => {
    const begun = readRewindRecord(git.repository, deps.files);
    const isAgain = begun?.state === "begun" && begun.target === point.id;
    if (begun?.state === "begun" && !isAgain && !request.dryRun) {
      throw new KeyframeError("refused", `a rewind to ${begun.target} was cut off`, {
        hint: `take it back with \`keyframe rewind --undo\`, or finish it with \`keyframe rewind --to ${shellQuote(begun.target)}\``,
      });
    }
    const { tree, untaken } = await index.takeTree();
    const keepsUntracked = point.kind === "checkpoint" || point.kind === "commit";
    const to = await treeOfPoint(git, point);
    const planned = parts.files
      ? await planFiles(git, deps.files, { from: tree, to, keepsUntracked })
      : nothing;
    const files = { ...planned, steps: planned.steps.filter(({ path }) => !untaken.includes(path)) };
    const conversation = parts.conversation
      ? await planConversations(git, deps, point)
      : { steps: [], problems: [] };
    if (request.dryRun) return { safety: undefined, files, conversation };
    for (const { session, unchanged } of conversation.steps)
      if (!unchanged) mustNotBeAtWork(git, deps, session);
    const safety = isAgain
      ? begun.safety
      : await recordSnapshot(git, deps, {
          ref: safetyRef(git.repository),
          state: { tree, untaken },
          facts: { version: 1, before: point.id, at: new Date(deps.clock.nowMs()).toISOString() },
        });
    const backups = isAgain ? begun.backups : backUp(git, deps.files, { conversation, safety });
    const record: RewindRecord = {
      version: 1,
      target: point.id,
      safety,
      state: "begun",
      withFiles: parts.files,
      backups,
    };
    writeRecord(git, deps.files, record);
    fault("rewind:after-record");
    if (parts.files) await applyFiles(git, deps.files, { index, plan: files, to });
    fault("rewind:after-files");
    for (const step of conversation.steps) await applyConversation(git, deps, step);
    fault("rewind:after-conversation");
    writeRecord(git, deps.files, { ...record, state: "done" });
    return { safety, files, conversation };
  });
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
 * Takes the last rewind back: the work tree and the conversations are as they were before it. That is a rewind itself,
 * so doing it twice ends where it began. @throws KeyframeError `not-found`
 */
export async function undoRewind(git: Git, deps: RewindDeps, dryRun: boolean): Promise<RewindPlan> {
  return withWorkTreeIndex(git, deps, async (index) => {
    const last = readRewindRecord(git.repository, deps.files);
    if (last === undefined) {
      throw new KeyframeError("not-found", "nothing was rewound in this worktree", {
        hint: "see `keyframe rewind --list`",
      });
    }
    const { tree, untaken } = await index.takeTree();
    const to = await git.text(["rev-parse", "--verify", `${last.safety}^{tree}`]);
    if (!isOid(to)) throw new KeyframeError("not-here", `the snapshot ${last.safety} is gone`);
    const files = last.withFiles
      ? await planFiles(git, deps.files, { from: tree, to, keepsUntracked: false })
      : nothing;
    const conversation = { steps: [], problems: [] };
    if (dryRun) return { safety: undefined, files, conversation };
    // of a rewind that was cut off only what was before it is worth going back to
    const safety =
      last.state === "begun"
        ? last.safety
        : await recordSnapshot(git, deps, {
            ref: safetyRef(git.repository),
            state: { tree, untaken },
            facts: { version: 1, before: "undo", at: new Date(deps.clock.nowMs()).toISOString() },
          });
    const present = last.backups.map(({ path }, place) => ({
      path,
      backup: copyTo(git, deps.files, { path, name: `${safety}-${place}-undo` }),
    }));
    if (last.withFiles) await applyFiles(git, deps.files, { index, plan: files, to });
    fault("rewind:undo-after-files");
    for (const { path, backup } of last.backups) putBack(deps.files, { path, backup });
    writeRecord(git, deps.files, { ...last, target: "undo", safety, state: "done", backups: present });
    return { safety, files, conversation };
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
    // a folder that became a link meanwhile would lead elsewhere
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

function backUp(
  git: Git,
  files: Files,
  { conversation, safety }: { readonly conversation: ConversationPlan; readonly safety: Oid },
): RewindRecord["backups"] {
  return conversation.steps
    .filter(({ unchanged }) => !unchanged)
    .map(({ path }, place) => ({ path, backup: copyTo(git, files, { path, name: `${safety}-${place}` }) }));
}

/** A copy beside the record; null where there is no file. It stays on this machine, like what it is a copy of. */
function copyTo(
  git: Git,
  files: Files,
  { path, name }: { readonly path: string; readonly name: string },
): string | null {
  if (files.statTargetIfExists(path)?.kind !== "file") return null;
  const folder = rewindFolder(git.repository);
  files.makeFolder(folder);
  const backup = join(folder, `${name}.jsonl`);
  files.remove(backup);
  copyFile(files, path, backup);
  return backup;
}

function putBack(
  files: Files,
  { path, backup }: { readonly path: string; readonly backup: string | null },
): void {
  if (backup === null) {
    files.remove(path);
    return;
  }
  const temporary = `${path}.${process.pid}.tmp`;
  files.remove(temporary);
  copyFile(files, backup, temporary);
  files.rename(temporary, path);
}

function copyFile(files: Files, from: string, to: string): void {
  let offsetBytes = 0;
  files.writeAt(to, Buffer.alloc(0), { offsetBytes, mode: 0o600 });
  for (const chunk of files.readChunks(from)) {
    files.writeAt(to, chunk, { offsetBytes, mode: 0o600 });
    offsetBytes += chunk.length;
  }
}

/** The ref of the snapshots from before a worktree's rewinds. */
export function safetyRef({ gitDir, commonDir }: Repository): string {
  return safetyRefPrefix + (gitDir === commonDir ? "main" : `worktree-${gitDir.split("/").at(-1)}`);
}

/** Where a worktree keeps the record of its last rewind, and the conversations from before its rewinds. */
export function rewindFolder({ gitDir }: Repository): string {
  return join(gitDir, "keyframe", "rewind");
}

export function rewindRecordPath(repository: Repository): string {
  return join(rewindFolder(repository), "last.json");
}

/** The last rewind of a worktree; undefined if there was none that can be taken back. */
export function readRewindRecord(repository: Repository, files: Files): RewindRecord | undefined {
  const bytes = files.readIfExists(rewindRecordPath(repository));
  const record = bytes === undefined ? undefined : parseRecordLine(bytes);
  // the sum has been checked: the record is as writeRecord wrote it
  return record?.["version"] === 1 ? (record as unknown as RewindRecord) : undefined;
}

function writeRecord(git: Git, files: Files, record: RewindRecord): void {
  files.makeFolder(rewindFolder(git.repository));
  files.replace(rewindRecordPath(git.repository), encodeRecordLine(record), { mode: 0o600 });
}
