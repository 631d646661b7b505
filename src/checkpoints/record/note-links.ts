import { type JsonObject, objectField } from "../../base/json.ts";
import { isOid, type Oid } from "../../git/ids.ts";
import { type CheckpointId, isCheckpointId } from "./ids.ts";

/*
 * A commit that a service made by squashing others has lost their trailers. Its note keeps the links
 * (`keyframe.checkpoints`), and the notes commit that brought them names both in its message: one line of
 * `<commit> Entire-Checkpoint: <id>` each, so that one look at the history of the notes finds them all.
 */

export function linkLine(commit: Oid, id: CheckpointId): string {
  return `${commit} Entire-Checkpoint: ${id}`;
}

/** The commits that messages of the notes' history name, newest first, once each. */
export function linkedCommitsOf(messages: string): Oid[] {
  const commits = messages
    .split("\n")
    .map((line) => /^([0-9a-f]+) Entire-Checkpoint: \S+$/.exec(line)?.[1] ?? "");
  return [...new Set(commits.filter(isOid))];
}

/** The checkpoints that a note links its commit to. */
export function checkpointsOfNote(metadata: JsonObject): CheckpointId[] {
  const links: unknown = objectField(metadata, "keyframe")?.["checkpoints"];
  if (!Array.isArray(links)) return [];
  const isId = (id: unknown): id is CheckpointId => typeof id === "string" && isCheckpointId(id);
  return [...new Set(links.filter(isId))];
}
