import { KeyframeError } from "../../base/errors.ts";
import type { Files } from "../../system/files/files.ts";
import { ownUserIds } from "../../system/machine/machine-facts.ts";
import { looksLikeTranscript, shapeBytes } from "../../transcripts/transcript-shape.ts";

/**
 * Whether there is a transcript to take over at a path that a payload, a session's state or the user named. What is taken
 * is pushed, so it must be a regular file of the user's own, reached without a symlink. A device or pipe could also hold
 * a hook up.
 * @throws KeyframeError `refused`
 */
export function hasTranscript(path: string, files: Files): boolean {
  if (!path.startsWith("/") || !/\.jsonl?$/.test(path) || path.includes("\0"))
    throw refused(path, "is not the path of a transcript");
  const stat = files.statIfExists(path);
  if (stat === undefined) return false;
  if (stat.kind !== "file" || files.realPathIfExists(path) !== path)
    throw refused(path, "is not a regular file, or is reached through a symlink");
  if (ownUserIds(process.env)?.includes(stat.userId) === false)
    throw refused(path, "belongs to another user");
  return true;
}

/** @throws KeyframeError `refused` for a file whose beginning is not a transcript of this agent */
export function checkTranscriptShape(tool: string, path: string, files: Files): void {
  for (const start of files.readChunks(path, { chunkBytes: shapeBytes })) {
    if (!looksLikeTranscript(tool, Buffer.from(start))) throw refused(path, `is not a transcript of ${tool}`);
    return;
  }
}

function refused(path: string, why: string): KeyframeError {
  return new KeyframeError("refused", `${JSON.stringify(path.slice(0, 200))} ${why}`);
}
