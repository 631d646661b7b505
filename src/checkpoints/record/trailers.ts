import { type CheckpointId, isCheckpointId } from "./ids.ts";

const trailer = /Entire-Checkpoint:[ \t]*([0-9a-f]{12}|[0-7][0-9A-HJKMNP-TV-Z]{25})(?=\s|$)/g;

/**
 * Every checkpoint that a commit message names, in order, once each. The whole message counts, because squash merges
 * keep trailers in the middle and old writers glued them to the subject; so a quoted id counts too: use
 * `trailingCheckpoints` before changing anything on the strength of an id.
 */
export function namedCheckpoints(message: string): CheckpointId[] {
  return [...new Set([...message.matchAll(trailer)].map((match) => match[1] ?? "").filter(isCheckpointId))];
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
