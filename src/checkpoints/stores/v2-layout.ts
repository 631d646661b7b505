import type { JsonMap } from "../../base/json-document.ts";
import { shardedPath } from "../record/ids.ts";
import type { Layout } from "./plan-write.ts";

export const v2Layout: Layout = {
  pathPrefix: (id) => `/${shardedPath(id)}`,
  transcriptBase: "raw_transcript",
  contentHashName: "raw_transcript_hash.txt",
  tasksInSession: true,
  compactHashName: "transcript_hash.txt",
  encodeSession,
  decodeSession,
};

/** v2 counts in lines of the compact transcript; the raw count is kept beside, or the way back would lose it. */
function encodeSession(metadata: JsonMap): JsonMap {
  const encoded: JsonMap = new Map(metadata);
  const raw = metadata.get("checkpoint_transcript_start") ?? metadata.get("transcript_lines_at_start");
  const compact = metadata.get("compact_transcript_start");
  encoded.delete("transcript_lines_at_start");
  encoded.delete("compact_transcript_start");
  encoded.delete("checkpoint_transcript_start");
  if (typeof compact === "number" && compact > 0) encoded.set("checkpoint_transcript_start", compact);
  if (typeof raw === "number" && raw > 0) encoded.set("raw_transcript_start", raw);
  return encoded;
}

function decodeSession(metadata: JsonMap): JsonMap {
  const decoded: JsonMap = new Map(metadata);
  const raw = metadata.get("raw_transcript_start");
  decoded.set("compact_transcript_start", metadata.get("checkpoint_transcript_start") ?? 0);
  decoded.delete("raw_transcript_start");
  decoded.delete("checkpoint_transcript_start");
  if (raw !== undefined) decoded.set("checkpoint_transcript_start", raw);
  return decoded;
}
