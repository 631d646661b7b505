import type { AgentId } from "../../agents/agent-event.ts";
import {
  isJsonObject,
  type Json,
  type JsonObject,
  jsonField,
  numberField,
  objectField,
  stringField,
} from "../../base/json.ts";
import { parseRepoPath, type RepoPath } from "../../git/ids.ts";
import type { LineOwnerRun, OwnerKey } from "../../journal/line-owners.ts";
import { humanKey, sessionKey, splitAgentLineKey } from "../note/keys.ts";

/**
 * The working log of git-ai: what it knows of lines that are not committed yet. One JSON object a line for each look
 * (`checkpoints.jsonl`), and what it carried over from before (`INITIAL`). Everything in it is another tool's claim.
 */
export interface GitAiLog {
  readonly checkpoints: string | undefined;
  readonly initial: string | undefined;
}

/** What the log says of one path: who owns the lines of which content. */
export interface ClaimedFile {
  readonly path: RepoPath;
  /** SHA-256 of the content that the lines are of. */
  readonly digest: string;
  readonly ranges: readonly { readonly start: number; readonly end: number; readonly owner: string }[];
  /** By session key. */
  readonly agents: Readonly<Record<string, AgentId>>;
  /** By human key: `Name <email>`. */
  readonly humans: Readonly<Record<string, string>>;
}

/** Lines of another version are skipped, as git-ai itself does. */
const version = "checkpoint/1.0.0";

/**
 * The newest word of a log on each path, of those where it names an owner that can be described: keys of its older forms,
 * and sessions that it says nothing of, stay unknown. Damaged lines are skipped.
 */
export function parseGitAiLog({ checkpoints, initial }: GitAiLog): ClaimedFile[] {
  const carried = parseObject(initial ?? "");
  const looks = (checkpoints ?? "").split("\n").map(parseObject);
  const ours = looks
    .filter((look) => look !== undefined)
    .filter((look) => stringField(look, "api_version") === version);
  const agents = { ...sessionsOf(carried), ...Object.fromEntries(ours.flatMap(agentOf)) };
  const humans = { ...humansOf(carried), ...Object.fromEntries(ours.flatMap(humanOf)) };
  const newest = new Map<string, Omit<ClaimedFile, "agents" | "humans">>();
  for (const claim of [...initialClaims(carried), ...ours.flatMap(lookClaims)]) newest.set(claim.path, claim);
  return [...newest.values()].flatMap((claim) => {
    const ranges = claim.ranges.filter(({ owner }) => {
      const session = splitAgentLineKey(owner)?.session;
      return session === undefined ? Object.hasOwn(humans, owner) : Object.hasOwn(agents, session);
    });
    const named = new Set(ranges.map(({ owner }) => splitAgentLineKey(owner)?.session ?? owner));
    const known = { agents: only(agents, named), humans: only(humans, named) };
    return ranges.length === 0 ? [] : [{ ...claim, ranges, ...known }];
  });
}

/** The owners of `lineCount` lines, as runs; lines that the log gives to nobody are nobody's. */
export function claimedRuns({ ranges }: ClaimedFile, lineCount: number): LineOwnerRun[] {
  const owners: OwnerKey[] = Array.from({ length: lineCount }, () => null);
  for (const { start, end, owner } of ranges)
    owners.fill(owner, Math.max(0, start - 1), Math.min(lineCount, end));
  const runs: [number, OwnerKey][] = [];
  for (const owner of owners) {
    const last = runs.at(-1);
    if (last !== undefined && last[1] === owner) last[0] += 1;
    else runs.push([1, owner]);
  }
  return runs;
}

function only<T>(table: Readonly<Record<string, T>>, keys: ReadonlySet<string>): Record<string, T> {
  return Object.fromEntries(Object.entries(table).filter(([key]) => keys.has(key)));
}

function lookClaims(look: JsonObject): Omit<ClaimedFile, "agents" | "humans">[] {
  return listOf(jsonField(look, "entries")).flatMap((entry) => {
    if (!isJsonObject(entry)) return [];
    const ranges = jsonField(entry, "line_attributions");
    return claimOf(stringField(entry, "file"), stringField(entry, "blob_sha"), ranges);
  });
}

function initialClaims(initial: JsonObject | undefined): Omit<ClaimedFile, "agents" | "humans">[] {
  const files = initial === undefined ? undefined : objectField(initial, "files");
  const blobs = initial === undefined ? undefined : objectField(initial, "file_blobs");
  return Object.entries(files ?? {}).flatMap(([path, ranges]) =>
    claimOf(path, blobs === undefined ? undefined : stringField(blobs, path), ranges),
  );
}

function claimOf(
  path: string | undefined,
  digest: string | undefined,
  ranges: Json | undefined,
): Omit<ClaimedFile, "agents" | "humans">[] {
  if (path === undefined || digest === undefined || !/^[0-9a-f]{64}$/.test(digest)) return [];
  const parsed = listOf(ranges).flatMap((range) => (isJsonObject(range) ? rangeOf(range) : []));
  try {
    return [{ path: parseRepoPath(path), digest, ranges: parsed }];
  } catch {
    return []; // it would leave the repository
  }
}

function rangeOf(range: JsonObject): ClaimedFile["ranges"] {
  const start = numberField(range, "start_line") ?? 0;
  const end = numberField(range, "end_line") ?? 0;
  const owner = stringField(range, "author_id") ?? "";
  const isKey = /^(?:s_[0-9a-f]{14}::t_[0-9a-f]{14}|h_[0-9a-f]{14})$/.test(owner);
  const isRange = Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 1 && end >= start;
  return isKey && isRange ? [{ start, end, owner }] : [];
}

function agentOf(look: JsonObject): [string, AgentId][] {
  const agent = parseAgent(objectField(look, "agent_id"));
  return agent === undefined ? [] : [[sessionKey(agent), agent]];
}

function humanOf(look: JsonObject): [string, string][] {
  const author = stringField(look, "author");
  return author !== undefined && stringField(look, "kind") === "KnownHuman" && author.length <= maxText
    ? [[humanKey(author), author]]
    : [];
}

function sessionsOf(initial: JsonObject | undefined): Record<string, AgentId> {
  const sessions = (initial === undefined ? undefined : objectField(initial, "sessions")) ?? {};
  const known = Object.entries(sessions).flatMap(([key, session]): [string, AgentId][] => {
    const agent = isJsonObject(session) ? parseAgent(objectField(session, "agent_id")) : undefined;
    return agent !== undefined && sessionKey(agent) === key ? [[key, agent]] : [];
  });
  return Object.fromEntries(known);
}

function humansOf(initial: JsonObject | undefined): Record<string, string> {
  const humans = (initial === undefined ? undefined : objectField(initial, "humans")) ?? {};
  const known = Object.entries(humans).flatMap(([key, human]): [string, string][] => {
    const author = isJsonObject(human) ? stringField(human, "author") : undefined;
    return author !== undefined && author.length <= maxText ? [[key, author]] : [];
  });
  return Object.fromEntries(known);
}

const maxText = 1000;

function parseAgent(agent: JsonObject | undefined): AgentId | undefined {
  if (agent === undefined) return undefined;
  const [tool, id, model] = ["tool", "id", "model"].map((name) => stringField(agent, name));
  if (tool === undefined || id === undefined || tool === "" || id === "") return undefined;
  const texts = { tool, id, model: model === undefined || model === "" ? "unknown" : model };
  return Object.values(texts).every((text) => text.length <= maxText) ? texts : undefined;
}

function parseObject(line: string): JsonObject | undefined {
  try {
    const value = JSON.parse(line) as Json;
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined; // torn, or not there
  }
}

function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : [];
}
