import { join } from "node:path";
import type { AgentId } from "../agents/agent-event.ts";
import { sha256Hex } from "../base/digest.ts";
import type { RepoPath } from "../git/ids.ts";
import type { Repository } from "../git/repository.ts";
import type { Clock } from "../system/clock.ts";
import type { Files } from "../system/files/files.ts";
import {
  type ProcessIdentity,
  type ProcessTable,
  parseProcessIdentity,
} from "../system/process/process-table.ts";
import { type Base, shellCallsFolder } from "./layout.ts";
import type { StatMark } from "./path-state.ts";

/** A shell call of an agent: the work tree was looked at when it began, and is again when it ends. */
export interface ShellCall {
  readonly toolUseId: string;
  readonly toolName: string;
  readonly agent: AgentId;
  readonly subagentId?: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** HEAD when the call began, or as far as its commits are settled. */
  readonly base: Base;
  /** Paths that differed from HEAD when it began. */
  readonly dirty: readonly RepoPath[];
  /** Of these, the ones that were too many to take a snapshot of: looked at only. */
  readonly unread: Readonly<Record<RepoPath, StatMark>>;
  /** The agent's process: a commit made by one of its descendants is the agent's. */
  readonly agentProcess: ProcessIdentity | undefined;
}

/** A call that never ended (its agent was killed) is forgotten after this. */
const maxCallAgeMs = 24 * 60 * 60 * 1000;

export function writeShellCall(repository: Repository, files: Files, call: ShellCall): void {
  files.makeFolder(shellCallsFolder(repository));
  files.replaceLoosely(callPath(repository, call), Buffer.from(JSON.stringify(call)), { mode: 0o600 });
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
    if (isGone) files.remove(path);
    else calls.push(call);
  }
  return calls;
}

function callPath(
  repository: Repository,
  { agent, toolUseId }: Pick<ShellCall, "agent" | "toolUseId">,
): string {
  const id = sha256Hex(`${agent.tool}\0${agent.id}\0${toolUseId}`).slice(0, 32);
  return join(shellCallsFolder(repository), `${id}.json`);
}

function parseShellCall(bytes: Buffer | undefined): ShellCall | undefined {
  if (bytes === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(bytes.toString("utf8"));
    const isCall =
      typeof value === "object" &&
      value !== null &&
      "toolUseId" in value &&
      "agent" in value &&
      "base" in value;
    if (!isCall) return undefined;
    const call = value as ShellCall;
    return { ...call, agentProcess: parseProcessIdentity(call.agentProcess) };
  } catch {
    return undefined; // torn by a crash: the call is unknown
  }
}
