/** What the crash child does and what its parent expects, in one place. */
export const crashBlockBytes = 4096;
export const crashBlocks = 48;
export const crashRounds = 12;

export interface CrashStep {
  readonly blocks: readonly number[];
  /** 0 is write-zeroes. */
  readonly fill: number;
}

/** Blocks of a round overlap those of the rounds before. */
export function crashStep(round: number): CrashStep {
  const first = (round * 5) % (crashBlocks - 6);
  const blocks = Array.from({ length: 6 }, (_, index) => first + index);
  return { blocks, fill: round % 4 === 3 ? 0 : round };
}
