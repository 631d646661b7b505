import type { AgentId } from "../../agents/agent-event.ts";
import { type JsonObject, numberField, objectField, stringField } from "../../base/json.ts";
import { splitAgentLineKey, statedHumanKey } from "./keys.ts";

/** Who a key of an authorship log stands for. */
export type Owner = AgentOwner | HumanOwner;

export interface AgentOwner {
  readonly kind: "agent";
  /** Names the session inside its note: `s_...`, or the legacy prompt key. */
  readonly session: string;
  /** `t_...` of the recorded edit; absent in legacy notes. */
  readonly trace: string | undefined;
  readonly agent: AgentId;
  /** The person who ran the agent, if the note says so. */
  readonly humanAuthor: string | undefined;
}

export interface HumanOwner {
  readonly kind: "human";
  readonly key: string;
  /** `Name <email>`, or a bare name in old notes. */
  readonly identity: string;
  /** True if the lines are theirs on their word alone. */
  readonly isStated: boolean;
}

/** Asked again for each stretch of lines: a note is read once and not changed. */
const resolved = new WeakMap<JsonObject, Map<string, Owner | undefined>>();

/** The owner behind a key; undefined if the metadata does not explain it, which makes its lines unknown. */
export function resolveOwner(metadata: JsonObject, key: string): Owner | undefined {
  const known = resolved.get(metadata) ?? new Map<string, Owner | undefined>();
  resolved.set(metadata, known);
  if (!known.has(key)) known.set(key, findOwner(metadata, key));
  return known.get(key);
}

function findOwner(metadata: JsonObject, key: string): Owner | undefined {
  const split = splitAgentLineKey(key);
  if (split !== undefined) {
    const owner = agentOwner(objectField(metadata, "sessions"), split.session);
    if (owner !== undefined) return { ...owner, trace: split.trace };
  }
  if (key.startsWith("h_")) {
    const record = objectField(objectField(metadata, "humans") ?? {}, key);
    const identity = record === undefined ? undefined : stringField(record, "author");
    if (identity !== undefined)
      return { kind: "human", key, identity, isStated: key === statedHumanKey(identity) };
  }
  return agentOwner(objectField(metadata, "prompts"), key);
}

function agentOwner(records: JsonObject | undefined, session: string): AgentOwner | undefined {
  const record = objectField(records ?? {}, session);
  const agentId = record === undefined ? undefined : objectField(record, "agent_id");
  const tool = agentId === undefined ? undefined : stringField(agentId, "tool");
  if (record === undefined || agentId === undefined || tool === undefined || tool === "") return undefined;
  return {
    kind: "agent",
    session,
    trace: undefined,
    agent: { tool, id: stringField(agentId, "id") ?? "", model: stringField(agentId, "model") ?? "unknown" },
    humanAuthor: stringField(record, "human_author"),
  };
}

/** The record of a session or legacy prompt, as JSON. */
export function sessionRecord(metadata: JsonObject, session: string): JsonObject | undefined {
  return (
    objectField(objectField(metadata, "sessions") ?? {}, session) ??
    objectField(objectField(metadata, "prompts") ?? {}, session)
  );
}

/** Lines of a session that somebody else took over before the commit, where the note tells (ours, and legacy ones). */
export function overriddenBeforeCommit(metadata: JsonObject, session: string): number {
  const ours = objectField(objectField(objectField(metadata, "keyframe") ?? {}, "sessions") ?? {}, session);
  const legacy = objectField(objectField(metadata, "prompts") ?? {}, session);
  const count =
    (ours && numberField(ours, "overridden_lines")) ??
    (legacy && (numberField(legacy, "overridden_lines") ?? numberField(legacy, "overriden_lines"))) ??
    0;
  return Number.isSafeInteger(count) && count > 0 ? count : 0;
}

export interface TraceDetails {
  /** How the edit was observed: through an edit tool, or by comparing the tree around a shell call. */
  readonly evidence: string | undefined;
  readonly prompt: string | undefined;
}

/** What our own notes say about one recorded edit. */
export function traceDetails(metadata: JsonObject, trace: string): TraceDetails | undefined {
  const record = objectField(objectField(objectField(metadata, "keyframe") ?? {}, "traces") ?? {}, trace);
  if (record === undefined) return undefined;
  return { evidence: stringField(record, "evidence"), prompt: stringField(record, "prompt") };
}
