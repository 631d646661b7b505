import type { AgentTotals } from "../../authorship/stats/groups.ts";
import type { LineCounts } from "../../authorship/stats/tally.ts";
import type { TokenUsage } from "../../checkpoints/record/token-usage.ts";

/** Lines that nobody is known for, 1-based and inclusive, in the file at the end of the range. */
export interface UnknownLines {
  readonly path: string;
  readonly first: number;
  readonly last: number;
}

export interface ReportSession {
  readonly checkpoint: string;
  readonly agent: string;
  readonly model: string;
  /** Of what led to the checkpoint. */
  readonly tokens: TokenUsage;
  /** Only where they may be shown. */
  readonly prompts?: readonly string[];
}

/** Something that a reviewer may want to look at, said as a fact. */
export interface ReportHint {
  readonly rule: "unknown-share" | "no-notes" | "agent-tests" | "no-tests";
  readonly text: string;
}

/** Everything that a report says, whatever its form. */
export interface ReportFacts {
  readonly range: string;
  /** The last commit. */
  readonly end: string;
  readonly commits: number;
  readonly notedCommits: number;
  readonly total: LineCounts;
  readonly agents: readonly AgentTotals[];
  readonly humans: readonly { readonly identity: string; readonly lines: number }[];
  /** Most added lines first. */
  readonly files: readonly (LineCounts & { readonly path: string })[];
  /** Changed files that hold tests, by their names. */
  readonly tests: readonly string[];
  readonly tokens: TokenUsage;
  readonly sessions: readonly ReportSession[];
  readonly unknownLines: readonly UnknownLines[];
  readonly hints: readonly ReportHint[];
}

/** Whole percent of the added lines; 0 where none were added. */
export function shareOf(lines: number, { added }: Pick<LineCounts, "added">): number {
  return added === 0 ? 0 : Math.round((100 * lines) / added);
}
