import type { JsonMap, JsonValue } from "../../base/json-document.ts";
import { maxFilesTouched, maxTokenDepth } from "./limits.ts";

/** Sets the fields of a checkpoint that follow from its sessions. */
export function mergeSessionsInto(root: JsonMap, sessions: readonly JsonMap[]): void {
  root.set(
    "checkpoints_count",
    sessions.reduce((sum, session) => sum + whole(session.get("checkpoints_count")), 0),
  );
  root.set("files_touched", unionOfFiles(sessions));
  const usages = sessions.flatMap((session) => {
    const usage = session.get("token_usage");
    return usage instanceof Map ? [usage] : [];
  });
  if (usages.length > 0) root.set("token_usage", sumUsage(usages, 0));
  const counted = sessions.filter((session) => session.get("token_usage") instanceof Map);
  // a sum says of itself what each of its parts says
  if (counted.length > 0 && counted.every((session) => session.get("token_usage_version") === 2))
    root.set("token_usage_version", 2);
  else root.delete("token_usage_version");
  if (sessions.some((session) => session.get("kind") === "agent_review")) root.set("has_review", true);
  if (sessions.some((session) => session.get("kind") === "agent_investigate"))
    root.set("has_investigation", true);
}

/** Sorted by bytes, each once; a list past the limit is cut, because a metadata file must stay small. */
function unionOfFiles(sessions: readonly JsonMap[]): JsonValue {
  const lists = sessions.map((session) => session.get("files_touched")).filter((list) => Array.isArray(list));
  const files = [...new Set(lists.flat().filter((path) => typeof path === "string"))];
  if (files.length === 0) return null;
  return files.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))).slice(0, maxFilesTouched);
}

const usageKeys = [
  "input_tokens",
  "cache_creation_tokens",
  "cache_read_tokens",
  "output_tokens",
  "api_call_count",
];

function sumUsage(usages: readonly JsonMap[], depth: number): JsonMap {
  const sum: JsonMap = new Map();
  for (const key of usageKeys)
    sum.set(
      key,
      usages.reduce((total, usage) => total + whole(usage.get(key)), 0),
    );
  const nested = usages.flatMap((usage) => {
    const inner = usage.get("subagent_tokens");
    return inner instanceof Map ? [inner] : [];
  });
  if (nested.length > 0 && depth < maxTokenDepth) sum.set("subagent_tokens", sumUsage(nested, depth + 1));
  return sum;
}

function whole(value: JsonValue | undefined): number {
  return typeof value === "number" && Number.isInteger(value) ? value : 0;
}
