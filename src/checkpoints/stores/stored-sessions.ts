import { KeyframeError } from "../../base/errors.ts";
import { encodeJsonDocument, type JsonMap, parseJsonDocument } from "../../base/json-document.ts";
import type { Git } from "../../git/git.ts";
import { readSmallObjects } from "../../git/objects/small-objects.ts";
import type { CheckpointTree } from "../record/checkpoint-tree.ts";
import { maxMetadataBytes } from "../record/limits.ts";
import { layouts } from "./layouts.ts";

/**
 * The metadata of a checkpoint's sessions by session id, every member kept; positions as version 1 counts them.
 * @throws KeyframeError `not-here` or `damaged`: who writes without knowing what is there destroys it
 */
export async function readStoredSessions(
  git: Git,
  tree: CheckpointTree | undefined,
): Promise<Map<string, JsonMap>> {
  const sessions = new Map<string, JsonMap>();
  if (tree === undefined) return sessions;
  const oids = [...tree.files]
    .filter(([path]) => /^\d{1,6}\/metadata\.json$/.test(path))
    .map(([, oid]) => oid);
  for (const [oid, content] of await readSmallObjects(git, oids, maxMetadataBytes)) {
    if (typeof content === "string") {
      throw new KeyframeError("not-here", `metadata ${oid} of checkpoint ${tree.id} is ${content}`, {
        hint: "run `keyframe fetch` first",
      });
    }
    const metadata = parseJsonDocument(content.toString("utf8"));
    const id = metadata instanceof Map ? metadata.get("session_id") : undefined;
    if (metadata instanceof Map && typeof id === "string")
      sessions.set(id, layouts[tree.store].decodeSession(metadata));
  }
  return sessions;
}

export function encodeSessions(sessions: ReadonlyMap<string, JsonMap>): Record<string, string> {
  return Object.fromEntries([...sessions].map(([id, metadata]) => [id, encodeJsonDocument(metadata)]));
}

export function parseSessions(texts: Readonly<Record<string, string>>): Map<string, JsonMap> {
  const sessions = new Map<string, JsonMap>();
  for (const [id, text] of Object.entries(texts)) {
    const metadata = parseJsonDocument(text);
    if (metadata instanceof Map) sessions.set(id, metadata);
  }
  return sessions;
}
