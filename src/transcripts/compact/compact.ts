import { readLinesAsync } from "../../base/lines.ts";
import { maxTranscriptLineBytes } from "../limits.ts";
import { compactClaudeLine } from "./claude.ts";
import { createCodexCompactor } from "./codex.ts";
import { createCompactBuilder, type CompactBuilder, type Position } from "./compact-builder.ts";
import type { CompactLine } from "./compact-line.ts";
import { type Fields, fieldsOf } from "./json-fields.ts";

/** Turns one line of an agent's transcript into compact lines. */
export type LineCompactor = (line: Fields, into: CompactBuilder) => void;

export interface Compaction {
  /** Lines that are complete; call until the transcript ends. */
  readonly lines: AsyncGenerator<CompactLine>;
  /** For each raw line number asked for: the compact line at which it appears. Valid when `lines` has ended. */
  offsets(): ReadonlyMap<number, number>;
  /** Raw lines, counted as the format counts them. Valid when `lines` has ended. */
  rawLines(): number;
}

/**
 * Compacts a transcript in one pass that also finds the compact positions of some raw lines (`starts`, 0-based). Lines
 * that are not JSON are passed over.
 */
export function compactTranscript(
  content: AsyncIterable<Uint8Array>,
  compactorFor: () => LineCompactor,
  starts: readonly number[] = [],
): Compaction {
  const builder = createCompactBuilder();
  const positions = new Map<number, Position>();
  let rawLines = 0;
  async function* run(): AsyncGenerator<CompactLine> {
    const compactor = compactorFor();
    for await (const line of readLinesAsync(content, maxTranscriptLineBytes)) {
      if (starts.includes(rawLines)) positions.set(rawLines, builder.position());
      rawLines += 1;
      const fields = "oversized" in line ? undefined : parseLine(line.bytes);
      if (fields !== undefined) compactor(fields, builder);
      yield* builder.take();
    }
    builder.flush();
    yield* builder.take();
  }
  return {
    lines: run(),
    offsets: () =>
      new Map(
        starts.map((start) => {
          const position = positions.get(start) ?? builder.position();
          return [start, builder.resolve(position)];
        }),
      ),
    rawLines: () => rawLines,
  };
}

function parseLine(bytes: Buffer): Fields | undefined {
  try {
    return fieldsOf(JSON.parse(bytes.toString("utf8")));
  } catch {
    return undefined; // real transcripts hold torn and glued lines
  }
}

/** How to read an agent's lines, by registry or display name; undefined: nobody knows. */
export function lineCompactorOf(agent: string): (() => LineCompactor) | undefined {
  switch (agent.toLowerCase().replace(/[ _]/g, "-")) {
    case "claude-code":
    case "claude":
    case "cursor":
    case "factoryai-droid":
    case "factory-ai-droid":
      return () => compactClaudeLine;
    case "codex":
      return createCodexCompactor;
    default:
      return undefined;
  }
}
