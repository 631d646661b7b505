import type { AgentId } from "../../agents/agent-event.ts";
import { errorText } from "../../base/errors.ts";
import { type JsonObject, objectField } from "../../base/json.ts";
import { keyframeVersion } from "../../base/version.ts";
import type { Oid, RepoPath } from "../../git/ids.ts";
import { joinAgents } from "../../journal/join-agents.ts";
import { sessionOfOwner } from "../../journal/line-owners.ts";
import type { Evidence, PathHead } from "../../journal/path-state.ts";
import type { Pairing } from "../carry/pairings.ts";
import { type AuthorshipLog, schemaVersion } from "../note/log.ts";
import { encodeAuthorshipLog, entriesOfRuns, parseAuthorshipLog } from "../note/log-codec.ts";
import { mergeAuthorshipLogs } from "../note/log-merge.ts";
import type { OwnerRuns } from "../rules/owner-runs.ts";

/** What settling found for one file of a commit. */
export interface FileClaims {
  readonly path: RepoPath;
  readonly runs: OwnerRuns;
  /** The head that knew the owners; explains their keys. */
  readonly head?: PathHead;
}

export interface NoteFacts {
  readonly commit: Oid;
  readonly claims: readonly FileClaims[];
  /** `Name <email>` of the person at the keyboard. */
  readonly humanAuthor: string;
  /** Metadata of the notes that owners came from: a replaced commit's, a rewritten one's. */
  readonly inherited: readonly JsonObject[];
  /** The models of sessions whose hooks did not know them when they ran. */
  readonly models?: ReadonlyMap<string, string>;
  /** Commits that owners were carried from, and what says that this one was made from them. */
  readonly pairings?: readonly Pairing[];
}

/** The log that a commit's note shall say; undefined if no line has an owner. */
export function buildLog(facts: NoteFacts): AuthorshipLog | undefined {
  const claims = facts.claims.filter((file) => file.runs.length > 0);
  if (claims.length === 0) return undefined;
  const keys = new Set(claims.flatMap((file) => file.runs.map((run) => run.key)));
  const known = collectKnown(claims);
  const sessions: Record<string, JsonObject> = {};
  const humans: Record<string, JsonObject> = {};
  const prompts: Record<string, JsonObject> = {};
  for (const key of keys) {
    const session = sessionOfOwner(key);
    const agent = known.agents.get(session);
    const human = known.humans.get(key);
    if (agent !== undefined)
      sessions[session] = {
        agent_id: { ...withModel(agent, session, facts) },
        human_author: facts.humanAuthor,
      };
    else if (human !== undefined) humans[key] = { author: human };
    else copyInherited({ sessions, humans, prompts }, session, facts.inherited);
  }
  const extension = keyframeExtension(keys, known, facts);
  return {
    files: claims.map(({ path, runs }) => ({ path, entries: entriesOfRuns(runs) })),
    metadata: {
      schema_version: schemaVersion,
      git_ai_version: `keyframe ${keyframeVersion}`,
      base_commit_sha: facts.commit,
      prompts,
      ...(Object.keys(humans).length > 0 ? { humans } : {}),
      ...(Object.keys(sessions).length > 0 ? { sessions } : {}),
      ...(extension === undefined ? {} : { keyframe: extension }),
    },
  };
}

function withModel(agent: AgentId, session: string, { models }: NoteFacts): AgentId {
  if (agent.model !== "unknown") return agent;
  return { ...agent, model: models?.get(session) ?? agent.model };
}

/**
 * The text of the note, given what it says now: lines that others noted stay where we did not see them, unknown fields
 * survive. Undefined where the note is of a kind that must not be rewritten; `problem` tells why.
 */
export function mergeIntoNote(
  current: Buffer | undefined,
  log: AuthorshipLog,
  precedence: "ours" | "existing",
): { readonly text: string } | { readonly problem: string } {
  if (current === undefined) return { text: encodeAuthorshipLog(log) };
  try {
    const existing = parseAuthorshipLog(current);
    // nothing can be read of it, and the notes that it was made from are still there
    if (existing.problems.some(({ kind }) => kind === "sorted")) return { text: encodeAuthorshipLog(log) };
    if (!existing.rewritable)
      return { problem: existing.problems[0]?.message ?? "the note cannot be rewritten" };
    const merged =
      precedence === "ours" ? mergeAuthorshipLogs(existing.log, log) : mergeAuthorshipLogs(log, existing.log);
    return { text: encodeAuthorshipLog(merged) };
  } catch (error) {
    return { problem: errorText(error) };
  }
}

interface Known {
  readonly agents: ReadonlyMap<string, AgentId>;
  readonly humans: ReadonlyMap<string, string>;
  readonly evidence: ReadonlyMap<string, Evidence>;
  readonly counters: ReadonlyMap<string, { generated: number; overridden: number }>;
}

function collectKnown(claims: readonly FileClaims[]): Known {
  const agents = joinAgents(...claims.map(({ head }) => head?.agents));
  const known = {
    agents: new Map(Object.entries(agents)),
    humans: new Map(),
    evidence: new Map(),
    counters: new Map(),
  };
  for (const { head } of claims) {
    if (head === undefined) continue;
    for (const [key, human] of Object.entries(head.humans)) known.humans.set(key, human);
    for (const [key, evidence] of Object.entries(head.evidence)) known.evidence.set(key, evidence);
    for (const [session, counted] of Object.entries(head.counters)) {
      const sum = known.counters.get(session) ?? { generated: 0, overridden: 0 };
      known.counters.set(session, {
        generated: sum.generated + counted.generated,
        overridden: sum.overridden + counted.overridden,
      });
    }
  }
  return known;
}

/** Our own part of the metadata, which other readers skip: how edits were seen, and what sessions wrote in all. */
function keyframeExtension(
  keys: ReadonlySet<string>,
  known: Known,
  { inherited, pairings = [] }: Pick<NoteFacts, "inherited" | "pairings">,
): JsonObject | undefined {
  const traces: Record<string, JsonObject> = {};
  const sessions: Record<string, JsonObject> = {};
  for (const key of [...keys].sort()) {
    const trace = key.split("::")[1];
    const evidence = known.evidence.get(key);
    const before = trace === undefined ? undefined : inheritedTrace(trace, inherited);
    if (trace !== undefined && evidence !== undefined) traces[trace] = { evidence };
    else if (trace !== undefined && before !== undefined) traces[trace] = before;
    const counted = known.counters.get(sessionOfOwner(key));
    if (counted !== undefined) {
      sessions[sessionOfOwner(key)] = {
        generated_lines: counted.generated,
        overridden_lines: counted.overridden,
      };
    }
  }
  if (Object.keys(traces).length === 0 && Object.keys(sessions).length === 0 && pairings.length === 0)
    return undefined;
  return { sessions, traces, ...(pairings.length > 0 ? { inferred: inferredFrom(pairings) } : {}) };
}

function inferredFrom(pairings: readonly Pairing[]): JsonObject {
  const unique = (values: readonly string[]) => [...new Set(values)];
  return {
    evidence: unique(pairings.map(({ by }) => by)).join(", "),
    from: unique(pairings.map(({ from }) => from)),
  };
}

function inheritedTrace(trace: string, inherited: readonly JsonObject[]): JsonObject | undefined {
  for (const metadata of inherited) {
    const traces = objectField(objectField(metadata, "keyframe") ?? {}, "traces");
    const found = traces && objectField(traces, trace);
    if (found !== undefined) return found;
  }
  return undefined;
}

function copyInherited(
  into: Record<"sessions" | "humans" | "prompts", Record<string, JsonObject>>,
  session: string,
  inherited: readonly JsonObject[],
): void {
  for (const metadata of inherited) {
    for (const field of ["sessions", "humans", "prompts"] as const) {
      const records = metadata[field];
      const record =
        typeof records === "object" && records !== null ? (records as JsonObject)[session] : undefined;
      if (typeof record === "object" && record !== null) into[field][session] = record as JsonObject;
    }
  }
}
