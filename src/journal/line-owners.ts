/**
 * Who owns a line: `s_<14 hex>::t_<14 hex>` (an agent's conversation and tool call), `h_<14 hex>` (a known human), or
 * null: nobody that was observed, which includes all that was there before.
 */
export type OwnerKey = string | null;

/** `[lines, owner]`: that many lines in a row have this owner. */
export type LineOwnerRun = readonly [lineCount: number, owner: OwnerKey];

export function encodeLineOwners(owners: readonly OwnerKey[]): LineOwnerRun[] {
  const runs: [number, OwnerKey][] = [];
  for (const owner of owners) addLineOwner(runs, owner);
  return runs;
}

/** Adds lines of one owner to the end of runs. */
export function addLineOwner(runs: [number, OwnerKey][], owner: OwnerKey, count = 1): void {
  const last = runs[runs.length - 1];
  if (last !== undefined && last[1] === owner) last[0] += count;
  else if (count > 0) runs.push([count, owner]);
}

/** Owners by line (0-based) without a list of all lines; those beyond the runs are nobody's. */
export class LineOwners {
  readonly #runs: readonly LineOwnerRun[];
  /** The first line of each run, and the one after the last. */
  readonly #starts: number[] = [0];

  constructor(runs: readonly LineOwnerRun[]) {
    this.#runs = runs;
    let line = 0;
    for (const [count] of runs) {
      line += count;
      this.#starts.push(line);
    }
  }

  at(line: number): OwnerKey {
    return this.#runs[this.#runAt(line)]?.[1] ?? null;
  }

  /** Adds the owners of lines in a row to the end of `runs`. */
  copy(from: number, count: number, runs: [number, OwnerKey][]): void {
    const until = from + count;
    let line = from;
    for (let at = this.#runAt(from); line < until; at += 1) {
      const end = Math.min(this.#starts[at + 1] ?? until, until);
      addLineOwner(runs, this.#runs[at]?.[1] ?? null, end - line);
      line = end;
    }
  }

  /** The index of the run that holds a line; as many as there are runs beyond them. */
  #runAt(line: number): number {
    let low = 0;
    let high = this.#runs.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (line < (this.#starts[middle + 1] ?? 0)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** One owner per line; a run list that is too short or too long for the content is cut or filled with null. */
export function decodeLineOwners(runs: readonly LineOwnerRun[], lineCount: number): OwnerKey[] {
  const owners: OwnerKey[] = [];
  for (const [count, owner] of runs) {
    for (let index = 0; index < count && owners.length < lineCount; index += 1) owners.push(owner);
  }
  while (owners.length < lineCount) owners.push(null);
  return owners;
}

/** The owners that occur, null excepted. */
export function ownersIn(runs: readonly LineOwnerRun[]): Set<string> {
  return new Set(runs.flatMap(([, owner]) => (owner === null ? [] : [owner])));
}

/** `s_...` of `s_...::t_...`; other keys stand for themselves. */
export function sessionOfOwner(owner: string): string {
  return owner.split("::", 1)[0] ?? owner;
}
