import { readLinesAsync } from "../../base/text/lines.ts";
import { transcriptLines } from "../document-lines.ts";
import { maxTranscriptLineBytes } from "../limits.ts";
import { redactedMark } from "../redaction/redaction.ts";
import type { Relation } from "./relate-content.ts";

/** How two copies of one conversation stand to each other. */
export interface TranscriptRelation {
  readonly relation: Relation;
  /** Lines of each; messages, of a document. */
  readonly ours: number;
  readonly theirs: number;
}

/**
 * Compares two copies of a conversation line by line, by content alone: dates are often equal or absent. A stored copy
 * has lost its secrets, under whichever rules were in force, so what was taken out of either stands for anything.
 * Memory is bounded by one line, of a document by the document.
 */
export async function relateTranscripts(
  ours: AsyncIterable<Buffer>,
  theirs: AsyncIterable<Buffer>,
): Promise<TranscriptRelation> {
  const [left, right] = [linesOf(ours), linesOf(theirs)];
  let isCommon = true;
  const count = { ours: 0, theirs: 0 };
  let [a, b] = [await left.next(), await right.next()];
  while (a.done !== true || b.done !== true) {
    if (a.done !== true) count.ours += 1;
    if (b.done !== true) count.theirs += 1;
    if (a.done !== true && b.done !== true && isCommon) isCommon = isSameLine(a.value, b.value);
    if (a.done !== true) a = await left.next();
    if (b.done !== true) b = await right.next();
  }
  if (!isCommon) return { relation: "apart", ...count };
  if (count.ours === count.theirs) return { relation: "same", ...count };
  return { relation: count.ours > count.theirs ? "longer" : "shorter", ...count };
}

async function* linesOf(content: AsyncIterable<Buffer>): AsyncGenerator<string> {
  for await (const line of readLinesAsync(transcriptLines(content), maxTranscriptLineBytes)) {
    if ("oversized" in line) yield redactedMark;
    else if (line.bytes.length > 0) yield Buffer.from(line.bytes).toString("latin1");
  }
}

// what is stored for a line that was too long to look at
const omittedLine = /^\{"type":"keyframe-omitted",/;

function isSameLine(a: string, b: string): boolean {
  if (a === b || omittedLine.test(a) || omittedLine.test(b)) return true;
  return fits(a, b) || fits(b, a);
}

/** True if a line is a redacted one with something in place of each mark. */
function fits(line: string, redacted: string): boolean {
  const pieces = redacted.split(redactedMark);
  const [first = "", ...rest] = pieces;
  const last = rest.pop();
  if (last === undefined || !line.startsWith(first)) return false;
  let at = first.length;
  for (const piece of rest) {
    const found = line.indexOf(piece, at);
    if (found === -1) return false;
    at = found + piece.length;
  }
  return line.length - last.length >= at && line.endsWith(last);
}
