import { noTranscriptTokens, type TranscriptTokens } from "../transcripts/scan/transcript-facts.ts";
import {
  compareNumbers,
  compareTests,
  type NumberComparison,
  type TestComparison,
} from "./checks/compare-tests.ts";
import type { LaneStatus, RaceRecord } from "./race-record.ts";

/** One lane beside the base: facts only, in the order the lanes were given. */
export interface RaceRow {
  readonly lane: LaneStatus;
  readonly command: string;
  readonly passed: number;
  readonly checks: number;
  readonly tests: TestComparison;
  readonly numbers: readonly NumberComparison[];
  /** Of the files it changed: those that another lane changed too, and those that only it changed. */
  readonly commonFiles: number;
  readonly ownFiles: number;
  readonly tokens: number;
  readonly byClass: TranscriptTokens;
  /** What the tokens cost, in units of one input token (`priceUnits`). */
  readonly price: number;
  readonly turns: number;
}

export function raceRows(race: RaceRecord, base: LaneStatus, lanes: readonly LaneStatus[]): RaceRow[] {
  return lanes.map((lane) => {
    const others = new Set(lanes.filter((each) => each !== lane).flatMap(({ diff }) => diff?.files ?? []));
    const files = lane.diff?.files ?? [];
    const sessions = lane.sessions ?? [];
    const byClass = sessions.reduce((sum, each) => addTokens(sum, each.byClass), noTranscriptTokens);
    return {
      lane,
      command: race.lanes.find(({ name }) => name === lane.name)?.command ?? "",
      passed: lane.checks.filter(({ passed }) => passed).length,
      checks: race.checks.length,
      // one that was stopped before its checks has removed nothing
      tests: compareTests(lane.checks.length === 0 ? [] : base.checks, lane.checks),
      numbers: compareNumbers(base.checks, lane.checks),
      commonFiles: files.filter((path) => others.has(path)).length,
      ownFiles: files.filter((path) => !others.has(path)).length,
      tokens: sessions.reduce((sum, { tokens }) => sum + tokens, 0),
      byClass,
      price: priceUnits(byClass),
      turns: sessions.reduce((sum, { turns }) => sum + turns, 0),
    };
  });
}

/**
 * Tokens weighed by the ratios of list prices, which stay when prices change: an input token is 1, one read from a cache 0.1,
 * one written to a cache 1.25, one of output 5 (Anthropic's, August 2026).
 */
export function priceUnits({ input, cacheRead, cacheCreation, output }: TranscriptTokens): number {
  return Math.round(input + 0.1 * cacheRead + 1.25 * cacheCreation + 5 * output);
}

function addTokens(sum: TranscriptTokens, more: TranscriptTokens = noTranscriptTokens): TranscriptTokens {
  return {
    input: sum.input + more.input,
    cacheCreation: sum.cacheCreation + more.cacheCreation,
    cacheRead: sum.cacheRead + more.cacheRead,
    output: sum.output + more.output,
    calls: sum.calls + more.calls,
  };
}

/** True if some lane changed something, ended by itself, and passed every check. */
export function hasPassed(rows: readonly RaceRow[]): boolean {
  return rows.some(
    ({ lane, passed, checks }) => lane.state === "done" && lane.commit !== undefined && passed === checks,
  );
}
