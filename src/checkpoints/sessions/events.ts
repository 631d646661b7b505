import { basename } from "node:path";
import type { AgentEvent } from "../../agents/agent-event.ts";
import { findAgentProcess } from "../../agents/agent-process.ts";
import type { JsonValue } from "../../base/json-document.ts";
import { keyframeVersion } from "../../base/version.ts";
import type { Repository } from "../../git/repository.ts";
import { readBaseCommit } from "../../journal/base-commit.ts";
import type { LockDeps } from "../../system/locks/lock-file.ts";
import type { Processes } from "../../system/process/processes.ts";
import { type Random, randomHex } from "../../system/random.ts";
import { displayNameOf } from "../../transcripts/agent-names.ts";
import { isMarked, isSessionId, markSession, updateSessionState } from "./directory.ts";
import { nextPhase, type SessionAction, type SessionSignal } from "./phase.ts";
import { listOfState, phaseOf, type SessionState } from "./state.ts";

export interface SessionDeps extends LockDeps {
  readonly random: Random;
  readonly processes: Processes;
}

/** What an agent says about its conversation, as against what it does to files. */
export type SessionEvent = Extract<
  AgentEvent,
  { readonly kind: "session-start" | "prompt" | "turn-end" | "subagent-end" | "session-end" }
>;

export function isSessionEvent(event: AgentEvent): event is SessionEvent {
  return ["session-start", "prompt", "turn-end", "subagent-end", "session-end"].includes(event.kind);
}

export const strategyName = "manual-commit";

/** How we name ourselves in records of the format. */
export const writerVersion = `keyframe-${keyframeVersion}`;

export interface SessionAdvance {
  /**
   * The heavy part of the event: its transcript is to be stored, its work tree to be remembered. `turn-start` where the
   * first prompt of a session came, or the turn before was cut off.
   */
  readonly wants: "turn-start" | "turn-end" | "session-end" | undefined;
}

/**
 * Moves a session on, as an agent's event says. Cheap: one small file is read and written. The turn's id is new with
 * each prompt, and what the last turn left to be finished is asked for before it is forgotten.
 */
export function advanceSession(
  event: SessionEvent,
  repository: Repository,
  deps: SessionDeps,
): SessionAdvance {
  const signal = signalOf(event);
  // a subagent's own hooks speak for its conversation
  if (signal === undefined || event.subagentId !== undefined || !isSessionId(event.agent.id))
    return { wants: undefined };
  const id = event.agent.id;
  let wants: SessionAdvance["wants"];
  updateSessionState(deps, { repository, id }, (stored) => {
    if (stored === undefined && signal !== "turn-start") return undefined;
    const isNew = stored === undefined;
    const state: SessionState = stored ?? newSessionState(event, repository, deps);
    const { phase, actions } = nextPhase(phaseOf(state), signal);
    state.set("phase", phase);
    applyActions(state, actions, deps.clock.nowMs());
    describeSession(state, event, repository);
    if (signal === "turn-start") {
      if (isNew || listOfState(state, "turn_checkpoint_ids").length > 0) wants = "turn-start";
      state.set("turn_id", randomHex(deps.random, 12));
      state.set("last_checkpoint_id", "");
    } else if (signal === "turn-end") wants = "turn-end";
    else if (signal === "session-stop") wants = "session-end";
    return state;
  });
  if (signal === "turn-start") {
    const owner = findAgentProcess(deps.processTable);
    markSession(deps, { repository, id, mark: "at-work", owner }, true);
  } else if (signal !== "session-start") markSession(deps, { repository, id, mark: "at-work" }, false);
  return { wants };
}

/**
 * The beginning of a turn that no hook announced: some agents fire none where they run without a screen, and hooks may be
 * put in while a conversation is under way. Undefined where the turn is known, and for events that begin nothing.
 */
export function unannouncedPrompt(
  event: AgentEvent,
  repository: Repository,
  deps: Pick<SessionDeps, "files">,
): SessionEvent | undefined {
  if (event.kind !== "before-edit" && event.kind !== "before-shell") return undefined;
  const { agent, cwd, transcriptPath, subagentId } = event;
  const isKnown = isMarked(deps, repository, { id: agent.id, mark: "at-work" });
  if (subagentId !== undefined || isKnown || !isSessionId(agent.id)) return undefined;
  return {
    kind: "prompt",
    agent,
    cwd,
    prompt: "",
    ...(transcriptPath === undefined ? {} : { transcriptPath }),
  };
}

function signalOf(event: SessionEvent): SessionSignal | undefined {
  switch (event.kind) {
    case "session-start":
      return "session-start";
    case "prompt":
      return "turn-start";
    case "turn-end":
      return "turn-end";
    case "session-end":
      return "session-stop";
    case "subagent-end":
      return undefined;
  }
}

export function applyActions(state: SessionState, actions: readonly SessionAction[], nowMs: number): void {
  const now = timestamp(nowMs);
  for (const action of actions) {
    if (action === "touch") state.set("last_interaction_time", now);
    else if (action === "clear-ended-at") state.delete("ended_at");
    else if (action === "set-ended-at") state.set("ended_at", now);
  }
}

/** RFC 3339 in UTC. */
export function timestamp(atMs: number): string {
  return new Date(atMs).toISOString();
}

export function newSessionState(
  event: Pick<SessionEvent, "agent">,
  repository: Repository,
  deps: SessionDeps,
): SessionState {
  const base = readBaseCommit(repository, deps.files, deps.processes);
  const commit = base === "initial" ? "" : base;
  return new Map<string, JsonValue>([
    ["session_id", event.agent.id],
    ["cli_version", writerVersion],
    ["base_commit", commit],
    ["attribution_base_commit", commit],
    ["worktree_path", repository.workTree ?? ""],
    ["worktree_id", worktreeIdOf(repository)],
    ["started_at", timestamp(deps.clock.nowMs())],
    ["phase", "idle"],
    ["checkpoint_count", 0],
  ]);
}

/** Name of a linked worktree as git knows it; empty for the main one. */
export function worktreeIdOf(repository: Repository): string {
  return repository.gitDir === repository.commonDir ? "" : basename(repository.gitDir);
}

/** What an older state, or one of another tool, may lack. The agent may have moved to another worktree. */
function describeSession(state: SessionState, event: SessionEvent, repository: Repository): void {
  state.set("agent_type", displayNameOf(event.agent.tool));
  if (event.transcriptPath !== undefined) state.set("transcript_path", event.transcriptPath);
  if (event.agent.model !== "unknown") state.set("model_name", event.agent.model);
  if (event.kind !== "prompt") return;
  state.set("worktree_path", repository.workTree ?? "");
  state.set("worktree_id", worktreeIdOf(repository));
}
