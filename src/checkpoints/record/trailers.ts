import { type CheckpointId, isCheckpointId } from "./ids.ts";

const named = /^Entire-Checkpoint:[ \t]*([0-9a-f]{12}|[0-7][0-9A-HJKMNP-TV-Z]{25})$/;
const glued = /Entire-Checkpoint:[ \t]*([0-9a-f]{12}|[0-7][0-9A-HJKMNP-TV-Z]{25})$/;
const anyTrailer = /^[A-Za-z0-9-]+:[ \t]/;

/**
 * Every checkpoint that a commit message names, in order, once each: in any paragraph that begins as a block of trailers,
 * because squash merges keep those of each commit in the middle, and at the end of the subject, where old writers glued
 * them. A line of text that only looks like a trailer names nothing. A paragraph may still be a quotation: use
 * `trailingCheckpoints` before changing anything on the strength of an id.
 */
export function namedCheckpoints(message: string): CheckpointId[] {
  const lines = message.split("\n").map((line) => line.trim());
  const ids: string[] = [];
  const subject = glued.exec(lines[0] ?? "")?.[1];
  if (subject !== undefined) ids.push(subject);
  let isBlock = false;
  for (const [at, line] of lines.entries()) {
    if (at === 0 || lines[at - 1] === "") isBlock = anyTrailer.test(line);
    const id = isBlock ? named.exec(line)?.[1] : undefined;
    if (id !== undefined) ids.push(id);
  }
  return [...new Set(ids)].filter(isCheckpointId);
}

/** The checkpoints named in the last paragraph, where it consists of trailers: these are not quoted text. */
export function trailingCheckpoints(message: string): CheckpointId[] {
  const lines = message.trimEnd().split("\n");
  const start = lines.lastIndexOf("") + 1;
  const block = lines.slice(start);
  const isTrailerBlock = start > 0 && block.every((line) => /^(?:[A-Za-z0-9-]+:[ \t]|[ \t])/.test(line));
  return isTrailerBlock
    ? namedCheckpoints(block.filter((line) => line.startsWith("Entire-")).join("\n"))
    : [];
}
