import { fieldsOf, type LineFields } from "../json-fields.ts";
import { maxTranscriptLineBytes } from "../limits.ts";
import { type CompactBuilder, createCompactState } from "./compact-builder.ts";
import type { CompactLine } from "./compact-line.ts";

/** Turns one line of an agent's transcript into compact lines. Made anew for each transcript: it may remember. */
export type LineCompactor = (line: LineFields, into: CompactBuilder) => void;

/**
 * Compacts a transcript as it comes, in one pass that also knows at which compact line each raw line appears. What has
 * been compacted so far may be asked for at any time, and more may follow: a transcript that has grown costs its tail.
 */
export interface Compactor {
  push(piece: Uint8Array): void;
  /** Lines completed since the last call; each is handed out once. */
  take(): CompactLine[];
  /**
   * Takes the rest that has no newline yet for a line. More may be pushed only if it begins with that newline:
   * see `endedMidLine`.
   */
  endLine(): void;
  readonly endedMidLine: boolean;
  /** The line that could still grow. */
  open(): CompactLine | undefined;
  /** Lines so far; an unfinished one counts once `endLine` was called. */
  readonly rawLines: number;
  /** The compact line (0-based) at which raw line `line` appears; the end for lines beyond it. Rounds toward inclusion. */
  compactLineOf(line: number): number;
  /** The raw line at which compact line `line` begins. */
  rawLineOf(line: number): number;
}

export function createCompactor(compactLine: LineCompactor): Compactor {
  const state = createCompactState();
  // per raw line: compact lines complete before it, and parts of the line that was open then
  const complete: number[] = [];
  const openParts: number[] = [];
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  let endedMidLine = false;

  function line(bytes: Buffer | undefined): void {
    complete.push(state.completeLines);
    openParts.push(state.openParts);
    const fields = bytes === undefined ? undefined : parseLine(bytes);
    if (fields !== undefined) compactLine(fields, state);
  }
  function held(last: Buffer): Buffer | undefined {
    if (pendingBytes + last.length > maxTranscriptLineBytes) return undefined;
    return pending.length === 0 ? last : Buffer.concat([...pending, last]);
  }
  function compactLineOf(raw: number): number {
    const before = complete[raw];
    const parts = openParts[raw];
    if (before === undefined || parts === undefined) {
      return state.completeLines + (state.openParts > 0 ? 1 : 0);
    }
    // a line that was open and did not grow after belongs to what came before
    return before + (parts > 0 && state.partsOf(before) === parts ? 1 : 0);
  }

  return {
    push(piece) {
      const buffer = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
      if (buffer.length === 0) return;
      let start = endedMidLine ? 1 : 0;
      endedMidLine = false;
      for (let end = buffer.indexOf(0x0a, start); end !== -1; end = buffer.indexOf(0x0a, start)) {
        line(held(buffer.subarray(start, end)));
        pending = [];
        pendingBytes = 0;
        start = end + 1;
      }
      const rest = buffer.subarray(start);
      pendingBytes += rest.length;
      if (rest.length > 0)
        pending = pendingBytes > maxTranscriptLineBytes ? [] : [...pending, Buffer.from(rest)];
    },
    take: () => state.take(),
    endLine() {
      if (pendingBytes === 0) return;
      line(held(Buffer.alloc(0)));
      pending = [];
      pendingBytes = 0;
      endedMidLine = true;
    },
    get endedMidLine() {
      return endedMidLine;
    },
    open: () => state.open(),
    get rawLines() {
      return complete.length;
    },
    compactLineOf,
    rawLineOf(wanted) {
      // the positions never fall, so the last that does not pass the line is found by halving
      let low = 0;
      let high = complete.length;
      while (low < high) {
        const middle = Math.ceil((low + high) / 2);
        if (compactLineOf(middle) <= wanted) low = middle;
        else high = middle - 1;
      }
      return low;
    },
  };
}

function parseLine(bytes: Buffer): LineFields | undefined {
  try {
    return fieldsOf(JSON.parse(bytes.toString("utf8")));
  } catch {
    return undefined; // real transcripts hold torn and glued lines
  }
}
