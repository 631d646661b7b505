import type { ContentLines } from "./content-lines.ts";
import type { Change } from "./sequence-diff.ts";

/** Two contents and what turns one into the other. */
export interface Comparison {
  readonly old: ContentLines;
  readonly next: ContentLines;
  readonly changes: readonly Change[];
}

/** Where a new line comes from: lines of the old content (0-based), or `taken` if the edit made it. */
export type LineSource = readonly number[] | typeof taken;
export const taken = "taken";
