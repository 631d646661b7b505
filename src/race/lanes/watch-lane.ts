import { join } from "node:path";
import { captureTranscript } from "../../checkpoints/capture/transcript.ts";
import { listSessionStates } from "../../checkpoints/sessions/directory.ts";
import { worktreeIdOf } from "../../checkpoints/sessions/events.ts";
import { textOfState } from "../../checkpoints/sessions/state.ts";
import type { Repository } from "../../git/repository.ts";
import type { Files } from "../../system/files/files.ts";
import type { LockDeps } from "../../system/locks/lock-file.ts";
import { noTrace } from "../../system/trace.ts";
import { toolNameOf } from "../../transcripts/agent-names.ts";
import type { Redactor } from "../../transcripts/redaction/redaction.ts";
import { allTokens } from "../../transcripts/scan/transcript-facts.ts";
import type { LaneLimits } from "../race-record.ts";

/** What a lane has used, of all its conversations. */
export interface LaneUse {
  readonly tokens: number;
  /** Answers of the model. */
  readonly turns: number;
}

export interface WatchedLane {
  /** True where it has written more than so many bytes. */
  readonly hasWritten: (bytes: number) => Promise<boolean>;
  readonly readUse: () => Promise<LaneUse>;
  readonly countProcesses: () => number | Promise<number>;
}

export interface WatchDeps extends LockDeps {
  readonly redactor: Redactor;
}

/** The first limit that a lane is over, in words. */
export async function findExcess(lane: WatchedLane, limits: LaneLimits): Promise<string | undefined> {
  const { tokens, turns, processes, diskBytes } = limits;
  if (processes !== undefined && (await lane.countProcesses()) > processes)
    return `more than ${processes} processes`;
  if (diskBytes !== undefined && (await lane.hasWritten(diskBytes)))
    return `more than ${diskBytes} bytes written`;
  if (tokens === undefined && turns === undefined) return undefined;
  const used = await lane.readUse();
  if (tokens !== undefined && used.tokens > tokens) return `more than ${tokens} tokens`;
  return turns !== undefined && used.turns > turns ? `more than ${turns} turns` : undefined;
}

/** From the transcripts as they are now: hooks tell of them at the end of a prompt only. */
export async function readUse(deps: WatchDeps, repository: Repository): Promise<LaneUse> {
  const here = worktreeIdOf(repository);
  const used = { tokens: 0, turns: 0 };
  for (const { id, state } of listSessionStates(deps, repository)) {
    if (state === undefined || textOfState(state, "worktree_id") !== here) continue;
    const transcriptPath = textOfState(state, "transcript_path");
    if (transcriptPath === undefined) continue;
    const agent = { tool: toolNameOf(textOfState(state, "agent_type") ?? ""), id };
    const session = { agent: { ...agent, model: "unknown" }, transcriptPath };
    const record = await captureTranscript({ ...deps, trace: noTrace }, repository, session);
    if (record === undefined) continue;
    used.tokens += allTokens(record.facts.tokens);
    used.turns += record.facts.tokens.calls;
  }
  return used;
}

export function isLarger(files: Files, directories: readonly string[], limitBytes: number): boolean {
  let sum = 0;
  const pending = [...directories];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const { name, kind } of files.listIfExists(next) ?? []) {
      const path = join(next, name);
      if (kind === "folder") pending.push(path);
      else sum += files.statIfExists(path)?.sizeBytes ?? 0;
      if (sum > limitBytes) return true;
    }
  }
  return false;
}

const tailBytes = 400;
const quietMs = 10_000;

/**
 * The question that a command seems to wait for an answer to: its output ends within a line, and nothing was printed for
 * some time. Nobody can answer: it is shown, so that somebody looks.
 */
export function findQuestion(
  { files, clock }: Pick<LockDeps, "files" | "clock">,
  logPath: string,
): string | undefined {
  const stat = files.statIfExists(logPath);
  if (stat === undefined || stat.sizeBytes === 0 || clock.nowMs() - stat.mtimeMs < quietMs) return undefined;
  const last = files.readTail(logPath, tailBytes).toString("utf8").split("\n").at(-1)?.trim() ?? "";
  return /[?:>)\]]$/.test(last) ? last : undefined;
}
