import { join } from "node:path";
import type { AgentId } from "../../agents/agent-event.ts";
import { sha256Hex } from "../../base/digest.ts";
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

/** A call that never ended (its agent was killed) is forgotten after this. */
const maxCallAgeMs = 24 * 60 * 60 * 1000;

export function writeShellCall(repository: Repository, files: Files, call: ShellCall): void {
  files.makeFolder(shellCallsFolder(repository));
  files.replaceWithoutSync(callPath(repository, call), Buffer.from(JSON.stringify(call)), { mode: 0o600 });
}

export function writeShellBeginning(
  repository: Repository,
  files: Files,
  { call, state }: { readonly call: Pick<ShellCall, "agent" | "toolUseId">; readonly state: GitState },
): void {
  files.makeFolder(shellCallsFolder(repository));
  files.replaceWithoutSync(beginningPath(repository, call), Buffer.from(JSON.stringify(state)), {
    mode: 0o600,
  });
}

/** Undefined if the call was begun by a version that did not look, or the record is damaged. */
export function readShellBeginning(
  repository: Repository,
  files: Files,
  call: Pick<ShellCall, "agent" | "toolUseId">,
): ShellBeginning | undefined {
  const path = beginningPath(repository, call);
  const stat = files.statIfExists(path);
  const state = parseRecord(files.readIfExists(path));
  const isState = state !== undefined && "pointers" in state && "stashes" in state && "mark" in state;
  return stat === undefined || !isState
    ? undefined
    : { state: state as unknown as GitState, startedMs: stat.mtimeMs };
}

export function readShellCall(
  repository: Repository,
  files: Files,
  key: Pick<ShellCall, "agent" | "toolUseId">,
): ShellCall | undefined {
  return parseShellCall(files.readIfExists(callPath(repository, key)));
}

export function removeShellCall(
  repository: Repository,
  files: Files,
  key: Pick<ShellCall, "agent" | "toolUseId">,
): void {
  files.remove(callPath(repository, key));
  files.remove(beginningPath(repository, key));
}

/** All open calls; those of dead agents and damaged records are removed on the way. */
export function listShellCalls(
  repository: Repository,
  { files, clock, processTable }: { files: Files; clock: Clock; processTable: ProcessTable },
): ShellCall[] {
  const calls: ShellCall[] = [];
  for (const { name } of files.listIfExists(shellCallsFolder(repository)) ?? []) {
    if (!name.endsWith(".json")) continue;
    const path = join(shellCallsFolder(repository), name);
    const call = parseShellCall(files.readIfExists(path));
    const isGone =
      call === undefined ||
      clock.nowMs() - call.at > maxCallAgeMs ||
      (call.agentProcess !== undefined && !processTable.isRunning(call.agentProcess));
    if (isGone) {
      files.remove(path);
      files.remove(path.replace(/json$/, "began"));
    } else calls.push(call);
  }
  return calls;
}

function callPath(repository: Repository, key: Pick<ShellCall, "agent" | "toolUseId">): string {
  return join(shellCallsFolder(repository), `${callId(key)}.json`);
}

function beginningPath(repository: Repository, key: Pick<ShellCall, "agent" | "toolUseId">): string {
  return join(shellCallsFolder(repository), `${callId(key)}.began`);
}

function callId({ agent, toolUseId }: Pick<ShellCall, "agent" | "toolUseId">): string {
  return sha256Hex(`${agent.tool}\0${agent.id}\0${toolUseId}`).slice(0, 32);
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
