import type { AgentId } from "../../agents/agent-event.ts";
import type { Oid, RepoPath } from "../../git/ids.ts";
import type { Repository } from "../../git/repository.ts";
import type { GitState } from "../../git/worktree/git-state.ts";
import type { Clock } from "../../system/clock.ts";
import type { Files } from "../../system/files/files.ts";
import {
  type ProcessIdentity,
  type ProcessTable,
  parseProcessIdentity,
} from "../../system/process/process-table.ts";
import { type BaseCommit, shellCallsFolder } from "../layout.ts";
import type { StatMark } from "../path-state.ts";
import { type CallKey, CallRecords } from "./call-records.ts";

/** A shell call of an agent: the work tree was looked at when it began, and is again when it ends. */
export interface ShellCall {
  readonly toolUseId: string;
  readonly toolName: string;
  readonly agent: AgentId;
  readonly subagentId?: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** HEAD when the call began, or as far as its commits are settled. */
  readonly base: BaseCommit;
  /** Paths that differed from HEAD when it began. */
  readonly dirty: readonly RepoPath[];
  /** Of these, the ones that were too many to take a snapshot of: looked at only. */
  readonly unread: Readonly<Record<RepoPath, StatMark>>;
  /** Paths that had changed while an edit of the same conversation was open in them: not the call's as long as it is. */
  readonly editing?: Readonly<Record<RepoPath, StatMark>>;
  /** The agent's process: a commit made by one of its descendants is the agent's. */
  readonly agentProcess: ProcessIdentity | undefined;
  /** Something came since that a call that has ended may come before: only its own end says that it was still running. */
  readonly isDoubtful?: true;
  /** Commits made while it ran that were credited already, or that another process is known to have made. */
  readonly judged?: readonly Oid[];
}

/** How git stood when a shell call began; written once, so that its file's time is that moment. */
export interface ShellBeginning {
  readonly state: GitState;
  /** By the file system's clock, which the times of git's objects come from. */
  readonly startedMs: number;
}

/** Of the file beside a call's record. */
const beginning = "began";

export function writeShellCall(repository: Repository, files: Files, call: ShellCall): void {
  recordsOf(repository, files).write(call, call);
}

export function writeShellBeginning(
  repository: Repository,
  files: Files,
  { call, state }: { readonly call: CallKey; readonly state: GitState },
): void {
  recordsOf(repository, files).write(call, state, beginning);
}

/** Undefined if the call was begun by a version that did not look, or the record is damaged. */
export function readShellBeginning(
  repository: Repository,
  files: Files,
  call: CallKey,
): ShellBeginning | undefined {
  const path = recordsOf(repository, files).pathOf(call, beginning);
  const stat = files.statIfExists(path);
  const state = parseRecord(files.readIfExists(path));
  const isState = state !== undefined && "pointers" in state && "stashes" in state && "mark" in state;
  return stat === undefined || !isState
    ? undefined
    : { state: state as unknown as GitState, startedMs: stat.mtimeMs };
}

export function readShellCall(repository: Repository, files: Files, key: CallKey): ShellCall | undefined {
  return recordsOf(repository, files).read(key);
}

export function removeShellCall(repository: Repository, files: Files, key: CallKey): void {
  const records = recordsOf(repository, files);
  records.remove(key);
  records.remove(key, beginning);
}

/** All open calls; those of dead agents and damaged records are removed on the way. */
export function pruneAndListShellCalls(
  repository: Repository,
  { files, clock, processTable }: { files: Files; clock: Clock; processTable: ProcessTable },
): ShellCall[] {
  const isOver = ({ agentProcess }: ShellCall) =>
    agentProcess !== undefined && !processTable.isRunning(agentProcess);
  return recordsOf(repository, files).pruneAndList({ clock }, isOver, [beginning]);
}

function recordsOf(repository: Repository, files: Files): CallRecords<ShellCall> {
  return new CallRecords(files, shellCallsFolder(repository), parseShellCall);
}

function parseShellCall(bytes: Buffer | undefined): ShellCall | undefined {
  const value = parseRecord(bytes);
  const isCall = value !== undefined && "toolUseId" in value && "agent" in value && "base" in value;
  if (!isCall) return undefined;
  const call = value as unknown as ShellCall;
  return { ...call, agentProcess: parseProcessIdentity(call.agentProcess) };
}

function parseRecord(bytes: Buffer | undefined): Record<string, unknown> | undefined {
  if (bytes === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(bytes.toString("utf8"));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined; // torn by a crash: the call is unknown
  }
}
