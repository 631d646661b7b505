export interface BenchResult {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly floor?: number;
  readonly ratio?: number;
  readonly peakMemoryBytes?: number;
  readonly resultHash: string;
}
