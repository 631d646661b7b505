import type { JsonObject } from "../../base/json.ts";
import { sessionOfOwner } from "../../journal/line-owners.ts";
import type { PathHead } from "../../journal/path-state.ts";

/** The agents and humans that the journal knows, in the form of a note's metadata. */
export function metadataOfKnown({
  agents,
  humans,
  evidence,
}: Pick<PathHead, "agents" | "humans" | "evidence">): JsonObject {
  const sessions: Record<string, JsonObject> = {};
  const authors: Record<string, JsonObject> = {};
  const traces: Record<string, JsonObject> = {};
  for (const [session, agent] of Object.entries(agents))
    sessions[sessionOfOwner(session)] = { agent_id: { ...agent } };
  for (const [key, author] of Object.entries(humans)) authors[key] = { author };
  for (const [key, how] of Object.entries(evidence)) {
    const trace = key.split("::")[1];
    if (trace !== undefined) traces[trace] = { evidence: how };
  }
  return { prompts: {}, humans: authors, sessions, keyframe: { traces } };
}
