/**
 * Who owns a line: `s_<14 hex>::t_<14 hex>` (an agent's conversation and tool call), `h_<14 hex>` (a known human), or
 * null: nobody that was observed, which includes all that was there before.
 */
export type OwnerKey = string | null;

/** `[lines, owner]`: that many lines in a row have this owner. */
export type LineOwnerRun = readonly [lineCount: number, owner: OwnerKey];

export function encodeLineOwners(owners: readonly OwnerKey[]): LineOwnerRun[] {
  const runs: [number, OwnerKey][] = [];
  for (const owner of owners) {
    const last = runs.at(-1);
    if (last !== undefined && last[1] === owner) last[0] += 1;
    else runs.push([1, owner]);
  }
  return runs;
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
