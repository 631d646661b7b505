import { lineCompactorOf } from "../../../transcripts/compact/agents.ts";
import type { CompactLine } from "../../../transcripts/compact/compact-line.ts";
import { createCompactor } from "../../../transcripts/compact/compactor.ts";
import { maxTranscriptLineBytes } from "../../../transcripts/limits.ts";
import type { SearchText } from "./search-text.ts";

/** What lines of a transcript say. */
export function saidTexts(agent: string, lines: Buffer): SearchText[] {
  const compactLine = lineCompactorOf(agent);
  if (compactLine === undefined) return [];
  const compactor = createCompactor(compactLine);
  compactor.push(lines);
  compactor.endLine();
  const open = compactor.open();
  return [...compactor.take(), ...(open === undefined ? [] : [open])].flatMap((line) => [...lineTexts(line)]);
}

/**
 * The lines that `isSaid` takes, each with its newline; it is shown them as Latin-1, one character a byte, which costs
 * nothing to make. A line that is too long to be parsed says nothing.
 */
export async function keepLines(
  content: AsyncIterable<Buffer>,
  isSaid: (line: string) => boolean,
): Promise<Buffer> {
  const said: Buffer[] = [];
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  const hold = (part: Buffer) => {
    pendingBytes += part.length;
    pending = pendingBytes > maxTranscriptLineBytes ? [] : [...pending, part];
  };
  const endLine = () => {
    if (pendingBytes <= maxTranscriptLineBytes) said.push(...saidRuns(Buffer.concat(pending), isSaid));
    pending = [];
    pendingBytes = 0;
  };
  for await (const piece of content) {
    const firstEnd = piece.indexOf(0x0a) + 1;
    const lastEnd = piece.lastIndexOf(0x0a) + 1;
    if (pendingBytes > 0 && firstEnd > 0) {
      hold(piece.subarray(0, firstEnd));
      endLine();
      said.push(...saidRuns(piece.subarray(firstEnd, lastEnd), isSaid));
    } else said.push(...saidRuns(piece.subarray(0, lastEnd), isSaid));
    if (lastEnd < piece.length) hold(piece.subarray(lastEnd));
  }
  if (pendingBytes > 0) {
    hold(Buffer.from("\n"));
    endLine();
  }
  return Buffer.concat(said);
}

/** Lines that follow each other come as one copy, which lets the piece go that they are from. */
function saidRuns(lines: Buffer, isSaid: (line: string) => boolean): Buffer[] {
  const text = lines.toString("latin1");
  const runs: Buffer[] = [];
  let runStart = 0;
  let start = 0;
  for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", start)) {
    const next = end + 1;
    if (next - start > maxTranscriptLineBytes || !isSaid(text.slice(start, end))) {
      if (start > runStart) runs.push(Buffer.from(lines.subarray(runStart, start)));
      runStart = next;
    }
    start = next;
  }
  if (start > runStart) runs.push(Buffer.from(lines.subarray(runStart, start)));
  return runs;
}

function* lineTexts(line: CompactLine): Generator<SearchText> {
  if (line.type === "user") {
    for (const block of line.content) {
      if ("text" in block && typeof block["text"] === "string" && block["text"] !== "") {
        yield { kind: "user", text: block["text"] };
      }
    }
    return;
  }
  for (const block of line.content) {
    if (block.type === "text") yield { kind: "assistant", text: block.text };
    else if (block.input !== undefined)
      yield { kind: "tool", text: `${block.name ?? "tool"} ${JSON.stringify(block.input)}` };
  }
}
