import type { ContentLines } from "./content-lines.ts";

/** A replaced region between two sequences; positions are 0-based, either count may be 0, never both. */
export interface Change {
  readonly oldStart: number;
  readonly oldCount: number;
  readonly newStart: number;
  readonly newCount: number;
}

/** Two contents and what turns one into the other. */
export interface LineDiff {
  readonly old: ContentLines;
  readonly next: ContentLines;
  readonly changes: readonly Change[];
}

/** Where a new line comes from: lines of the old content (0-based), or `taken` if the edit made it. */
export type LineSource = readonly number[] | typeof taken;
export const taken = "taken";

export interface SourceRun {
  readonly first: number;
  readonly count: number;
  readonly source: LineSource;
}

/** Where each line of the new content comes from: four bytes a line, since most come from one. */
export class LineSources {
  readonly #places: Int32Array;
  /** Sources of lines that come from several, by their line. */
  readonly #joined = new Map<number, readonly number[]>();
  readonly #named = new Set<number>();

  /** The lines that the changes left alone come from themselves, the others are taken. */
  constructor({ next, changes }: LineDiff) {
    this.#places = new Int32Array(next.count).fill(nowhere);
    let [oldFrom, newFrom] = [0, 0];
    for (const change of [...changes, undefined]) {
      const until = change?.newStart ?? next.count;
      for (let line = newFrom; line < until; line += 1) this.#places[line] = oldFrom + line - newFrom;
      oldFrom = (change?.oldStart ?? 0) + (change?.oldCount ?? 0);
      newFrom = until + (change?.newCount ?? 0);
    }
  }

  get count(): number {
    return this.#places.length;
  }

  isTaken(line: number): boolean {
    return this.placeOf(line) === nowhere;
  }

  /** The line that a line comes from, the first of several; -1 if it is taken. */
  placeOf(line: number): number {
    return this.#places[line] ?? nowhere;
  }

  at(line: number): LineSource {
    const place = this.placeOf(line);
    return place === nowhere ? taken : (this.#joined.get(line) ?? [place]);
  }

  /** True for a line of the old content that a change took from its place and that stands at another. */
  isNamed(oldLine: number): boolean {
    return this.#named.has(oldLine);
  }

  /**
   * All lines in order, as runs of ones that are taken, or that come from lines in a row; a line that comes from several is
   * a run of its own. `source` is that of the first line of the run.
   */
  *runs(): Generator<SourceRun> {
    const places = this.#places;
    const hasJoined = (line: number) => this.#joined.size > 0 && this.#joined.has(line);
    for (let first = 0; first < places.length; ) {
      const place = places[first] ?? nowhere;
      const step = place === nowhere ? 0 : 1;
      let count = 1;
      const isJoined = hasJoined(first);
      while (!isJoined && places[first + count] === place + step * count && !hasJoined(first + count))
        count += 1;
      yield { first, count, source: this.at(first) };
      first += count;
    }
  }

  set(line: number, source: readonly number[]): void {
    for (const from of source) this.#named.add(from);
    this.#places[line] = source[0] ?? nowhere;
    if (source.length > 1) this.#joined.set(line, source);
    else this.#joined.delete(line);
  }
}

const nowhere = -1;
