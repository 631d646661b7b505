import { KeyframeError } from "../../base/errors.ts";
import {
  encodeJsonDocument,
  type JsonMap,
  type JsonValue,
  parseJsonDocument,
} from "../../base/json-document.ts";
import { orderKeys } from "../record/metadata-order.ts";
import { parsePhase, type SessionPhase } from "./phase.ts";

/**
 * The record of one session as tools of the format share it (docs/formats/sessions.md). Fields that only others know
 * keep their place and value; read and change it through the functions here.
 */
export type SessionState = JsonMap;

/** Keys in the order that writers of the format use. */
const stateOrder = [
  "session_id",
  "cli_version",
  "base_commit",
  "attribution_base_commit",
  "worktree_path",
  "worktree_id",
  "started_in",
  "started_at",
  "ended_at",
  "phase",
  "turn_id",
  "turn_checkpoint_ids",
  "last_interaction_time",
  "checkpoint_count",
  "checkpoint_transcript_start",
  "untracked_files_at_start",
  "files_touched",
  "last_checkpoint_id",
  "agent_type",
  "model_name",
  "token_usage",
  "transcript_identifier_at_start",
  "transcript_path",
  "first_prompt",
  "last_prompt",
  "prompt_attributions",
  "pending_prompt_attribution",
];

/**
 * Reads a state of any version: the phase is one of the three, deprecated positions are folded into the present one.
 * @throws KeyframeError `damaged`
 */
export function parseSessionState(bytes: Buffer): SessionState {
  const document = parseJsonDocument(bytes.toString("utf8"));
  if (!(document instanceof Map) || typeof document.get("session_id") !== "string") {
    throw new KeyframeError("damaged", "a session's state is not an object with a session_id");
  }
  const state: SessionState = new Map(document);
  state.set("phase", parsePhase(state.get("phase")));
  for (const key of ["condensed_transcript_lines", "transcript_lines_at_start"]) {
    const value = state.get(key);
    const start = state.get("checkpoint_transcript_start");
    if (typeof value === "number" && (start === undefined || start === 0))
      state.set("checkpoint_transcript_start", value);
    state.delete(key);
  }
  const base = state.get("base_commit");
  if (state.get("attribution_base_commit") === undefined && base !== undefined)
    state.set("attribution_base_commit", base);
  return state;
}

/** Two spaces, escaped as its other writers do, one newline at the end; empty optional fields are left out. */
export function encodeSessionState(state: SessionState): Buffer {
  const kept: SessionState = new Map([...state].filter(([key, value]) => isKept(key, value)));
  return Buffer.from(`${encodeJsonDocument(orderKeys(kept, stateOrder))}\n`);
}

function isKept(key: string, value: JsonValue): boolean {
  if (!stateOrder.includes(key) || ["session_id", "base_commit", "checkpoint_count"].includes(key))
    return true;
  return !(value === null || value === "" || value === 0 || (Array.isArray(value) && value.length === 0));
}

export function phaseOf(state: SessionState): SessionPhase {
  return parsePhase(state.get("phase"));
}

/** A text field; undefined where it is absent, empty or of another type. */
export function textOfState(state: SessionState, key: string): string | undefined {
  const value = state.get(key);
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** A count; 0 where it is absent or no count. */
export function countOfState(state: SessionState, key: string): number {
  const value = state.get(key);
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : 0;
}

export function listOfState(state: SessionState, key: string): string[] {
  const value = state.get(key);
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}
