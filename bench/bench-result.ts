/** One measured figure. The runner prints it; nothing here judges. */
export interface BenchResult {
  readonly name: string;
  readonly value: number;
  readonly unit: "ms" | "notes/s" | "MiB";
  /** The same work done by the program we are compared with, in the same unit and run. */
  readonly floor?: number;
  /** value / floor. */
  readonly ratio?: number;
  readonly peakMemoryBytes?: number;
  /** SHA-256 of what was computed: two runs that did the same work agree on it. */
  readonly resultHash: string;
}

export interface BenchOptions {
  /** Small sizes, to see that it still works. */
  readonly tiny: boolean;
}
