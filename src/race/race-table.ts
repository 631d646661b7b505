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
  readonly turns: number;
}

export function raceRows(race: RaceRecord, base: LaneStatus, lanes: readonly LaneStatus[]): RaceRow[] {
  return lanes.map((lane) => {
    const others = new Set(lanes.filter((each) => each !== lane).flatMap(({ diff }) => diff?.files ?? []));
    const files = lane.diff?.files ?? [];
    const sessions = lane.sessions ?? [];
    return {
      lane,
      command: race.lanes.find(({ name }) => name === lane.name)?.command ?? "",
      passed: lane.checks.filter(({ passed }) => passed).length,
      checks: race.checks.length,
      tests: compareTests(base.checks, lane.checks),
      numbers: compareNumbers(base.checks, lane.checks),
      commonFiles: files.filter((path) => others.has(path)).length,
      ownFiles: files.filter((path) => !others.has(path)).length,
      tokens: sessions.reduce((sum, { tokens }) => sum + tokens, 0),
      turns: sessions.reduce((sum, { turns }) => sum + turns, 0),
    };
  });
}

/** True if some lane changed something, ended by itself, and passed every check. */
export function hasPassed(rows: readonly RaceRow[]): boolean {
  return rows.some(
    ({ lane, passed, checks }) => lane.state === "done" && lane.commit !== undefined && passed === checks,
  );
}
