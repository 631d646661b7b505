/** One figure of a benchmark, with what it is measured against in the same run. */
export interface BenchResult {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The floor or peer, in the same unit. */
  readonly floor?: number;
  /** `value` over `floor`, or over what the name says. */
  readonly ratio?: number;
  /** Processor time of everything that was started, by the system's ticks of 10 ms; of several runs their mean. */
  readonly cpuMs?: number;
  /** Processor time over that of the floor: what a busy machine leaves comparable. */
  readonly cpuRatio?: number;
  readonly peakMemoryBytes?: number;
  /** Digest of what the measured work produced: equal runs give equal hashes. */
  readonly resultHash: string;
}

export interface BenchOptions {
  /** Small sizes, to see that it still works. */
  readonly tiny: boolean;
}
