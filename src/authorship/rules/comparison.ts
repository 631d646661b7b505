import type { ContentLines } from "./content-lines.ts";

/** A replaced region between two sequences; positions are 0-based, either count may be 0, never both. */
export interface Change {
  readonly oldStart: number;
  readonly oldCount: number;
  readonly newStart: number;
  readonly newCount: number;
}

/** Two contents and what turns one into the other. */
export interface Comparison {
  readonly old: ContentLines;
  readonly next: ContentLines;
  readonly changes: readonly Change[];
}

/** Where a new line comes from: lines of the old content (0-based), or `taken` if the edit made it. */
export type LineSource = readonly number[] | typeof taken;
export const taken = "taken";
