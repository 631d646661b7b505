import { join } from "node:path";
import type { AgentId } from "../../agents/agent-event.ts";
import { isOid, type Oid } from "../../git/ids.ts";
import type { Repository } from "../../git/repository.ts";
import type { BaseCommit } from "../../journal/layout.ts";
import { encodeRecordLine, parseRecordLine } from "../../journal/record-line.ts";
import type { Files } from "../../system/files/files.ts";
import type { TranscriptTokens } from "../../transcripts/scan/transcript-facts.ts";
import type { StoreKind } from "../record/checkpoint-tree.ts";
import { type CheckpointId, isCheckpointId } from "../record/ids.ts";

/*
 * <git dir of the worktree>/keyframe/commit/
 *   prepared/<checkpoint id>.json   the record behind a trailer, durable before the commit that names it
 *   linked                          the last commit that names a checkpoint: for an amend that loses the trailer
 *   seen                        HEAD as our hook saw it when it last prepared a message
 *   editing                         exists while a message without text is in the user's editor
 *   attached.json                   sessions that were adopted, with the paths that they named
 */

/** What a checkpoint will say of one session: positions in what is durable already (docs/formats/capture.md). */
export interface PreparedSession {
  readonly agent: AgentId;
  readonly files: readonly string[];
  readonly turnId: string;
  /** Steps since the last checkpoint. */
  readonly steps: number;
  /** Undefined: there is no transcript. */
  readonly transcript:
    | {
        readonly generation: number;
        readonly bytes: number;
        readonly sha256: string;
        readonly lines: number;
        readonly startLine: number;
      }
    | undefined;
  readonly prompts: readonly string[];
  /** The agent's own line about the conversation; absent where it wrote none. */
  readonly summary?: string;
  readonly tokens: TranscriptTokens | undefined;
}

/** A checkpoint that a commit is about to name. */
export interface PreparedCheckpoint {
  readonly version: 1;
  readonly id: CheckpointId;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** HEAD before the commit, or `initial`. */
  readonly head: string;
  /** Short name of the branch; empty on a detached HEAD. */
  readonly branch: string;
  readonly sessions: readonly PreparedSession[];
  /** True for an amend: the checkpoint may be stored already, and more is added to it. */
  readonly updates: boolean;
  /** The commit itself, where it was made before this was prepared: its message names nothing. */
  readonly commit?: Oid;
  /** Where it is written, unless it is stored elsewhere already; fixed here, so that doing it again does the same. */
  readonly store: StoreKind;
  /**
   * By session id, its metadata as it was stored when this was added to it for the first time: so that adding again
   * after a crash gives the same.
   */
  readonly base?: Readonly<Record<string, string>>;
}

export function commitFolder(repository: Repository): string {
  return join(repository.gitDir, "keyframe", "commit");
}

/** Durable when it returns. */
export function writePrepared(repository: Repository, files: Files, prepared: PreparedCheckpoint): void {
  files.makeFolder(join(commitFolder(repository), "prepared"));
  files.replace(preparedPath(repository, prepared.id), encodeRecordLine(prepared), { mode: 0o600 });
}

/** Oldest first; damaged ones are left out. */
export function listPrepared(repository: Repository, files: Files): PreparedCheckpoint[] {
  const found: PreparedCheckpoint[] = [];
  for (const { name } of files.listIfExists(join(commitFolder(repository), "prepared")) ?? []) {
    const id = name.endsWith(".json") ? name.slice(0, -".json".length) : "";
    const bytes = isCheckpointId(id) ? files.readIfExists(preparedPath(repository, id)) : undefined;
    const record = bytes === undefined ? undefined : parseRecordLine(bytes);
    // the sum has been checked: the record is as writePrepared wrote it
    if (record?.["version"] === 1) found.push(record as unknown as PreparedCheckpoint);
  }
  return found.sort((a, b) => a.at - b.at);
}

export function removePrepared(repository: Repository, files: Files, id: CheckpointId): void {
  files.remove(preparedPath(repository, id));
}

function preparedPath(repository: Repository, id: CheckpointId): string {
  return join(commitFolder(repository), "prepared", `${id}.json`);
}

/** The last commit of this worktree that names a checkpoint. */
export interface LinkedHead {
  readonly commit: Oid;
  readonly ids: readonly CheckpointId[];
}

export function readLinkedHead(repository: Repository, files: Files): LinkedHead | undefined {
  const text = files.readIfExists(join(commitFolder(repository), "linked"))?.toString("latin1") ?? "";
  const [commit = "", ...ids] = text.trim().split(" ");
  return isOid(commit) ? { commit, ids: ids.filter(isCheckpointId) } : undefined;
}

export function writeLinkedHead(repository: Repository, files: Files, linked: LinkedHead): void {
  files.makeFolder(commitFolder(repository));
  const text = `${[linked.commit, ...linked.ids].join(" ")}\n`;
  files.replaceWithoutSync(join(commitFolder(repository), "linked"), Buffer.from(text), { mode: 0o600 });
}

export function forgetLinkedHead(repository: Repository, files: Files): void {
  files.remove(join(commitFolder(repository), "linked"));
}

/** Notes that the message of a commit on this HEAD is prepared: what the commit names is then decided. */
export function writeSeenHead(repository: Repository, files: Files, head: BaseCommit): void {
  const path = join(commitFolder(repository), "seen");
  const text = Buffer.from(`${head}\n`);
  try {
    files.replaceWithoutSync(path, text, { mode: 0o600 });
  } catch (error) {
    if (files.statIfExists(commitFolder(repository)) !== undefined) throw error;
    files.makeFolder(commitFolder(repository));
    files.replaceWithoutSync(path, text, { mode: 0o600 });
  }
}

/** HEAD under the message that our hook prepared last; undefined: it never ran. */
export function readSeenHead(repository: Repository, files: Files): string | undefined {
  return files
    .readIfExists(join(commitFolder(repository), "seen"))
    ?.toString("latin1")
    .trim();
}

/** Marks that a message is edited that nobody has written anything in yet. */
export function setEditing(repository: Repository, files: Files, isEditing: boolean): void {
  const path = join(commitFolder(repository), "editing");
  if (!isEditing) {
    files.remove(path);
    return;
  }
  files.makeFolder(commitFolder(repository));
  files.createIfAbsent(path, Buffer.alloc(0), { mode: 0o600 });
}
