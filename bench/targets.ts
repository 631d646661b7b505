import type { BenchResult } from "./bench-result.ts";

/** What a row is to reach. */
export interface Target {
  /** Of the row's name. */
  readonly row: RegExp;
  readonly figure: "value" | "ratio" | "cpuMs" | "cpuRatio" | "peakMemoryBytes";
  readonly atMost: number;
}

const mib = 1024 * 1024;

export const targets: readonly Target[] = [
  { row: /^hook: after an edit/, figure: "ratio", atMost: 1.35 },
  { row: /^trust in a repository of the user's/, figure: "value", atMost: 1 },
  { row: /^hook after an edit, \d+ MiB/, figure: "value", atMost: 1000 },
  { row: /^hook after an edit, \d+ MiB/, figure: "peakMemoryBytes", atMost: 300 * mib },
  { row: /^its commit, \d+ MiB/, figure: "value", atMost: 3000 },
  { row: /^git commit of \d+ files that an agent edited/, figure: "value", atMost: 700 },
  { row: /^note of 1000 edits/, figure: "value", atMost: 40 },
  { row: /^record an edit behind \d+ MB of log/, figure: "ratio", atMost: 1.2 },
  { row: /^stats of \d+ commits, first/, figure: "cpuRatio", atMost: 2 },
  { row: /^stats of \d+ commits, again/, figure: "cpuRatio", atMost: 2 },
  { row: /^stats of one commit/, figure: "value", atMost: 60 },
  { row: /^log (-\d+|of all)/, figure: "cpuRatio", atMost: 2 },
  { row: /^doctor/, figure: "cpuRatio", atMost: 2 },
  { row: /^list \d+/, figure: "cpuRatio", atMost: 3 },
  { row: /^git commit of a session's work/, figure: "value", atMost: 60 },
  { row: /^the same with \d+ finished sessions/, figure: "cpuRatio", atMost: 1.2 },
  { row: /^first search/, figure: "cpuRatio", atMost: 3 },
  { row: /^bundle, gzip/, figure: "value", atMost: 60 },
  { row: /^first paint/, figure: "value", atMost: 150 },
  { row: /^timeline of \d+ checkpoints/, figure: "value", atMost: 1000 },
  { row: /: frame, p95 of main thread/, figure: "value", atMost: 16 },
  { row: /: heap$/, figure: "value", atMost: 150 },
];

/** `ratio at most 1.35: met`, one for each target of the row; empty where it has none. */
export function judge(result: BenchResult): string {
  return targets
    .filter(({ row }) => row.test(result.name))
    .map(({ figure, atMost }) => {
      const reached = result[figure];
      const shown = figure === "peakMemoryBytes" ? `${atMost / mib} MiB` : String(atMost);
      const verdict = reached === undefined ? "not measured" : reached <= atMost ? "met" : "missed";
      return `${figureNames[figure]} at most ${shown}: ${verdict}`;
    })
    .join("; ");
}

const figureNames: Readonly<Record<Target["figure"], string>> = {
  value: "value",
  ratio: "ratio",
  cpuMs: "CPU",
  cpuRatio: "CPU ratio",
  peakMemoryBytes: "memory",
};
