import { decodeLineOwners, encodeLineOwners, type OwnerKey } from "../../journal/line-owners.ts";
import { createLineInterner } from "./content-lines.ts";
import { identicalLines } from "./identical-lines.ts";
import { keyAtLine, type LineRange, type OwnerRun, type OwnerRuns } from "./owner-runs.ts";
import { isSolid } from "./tokens.ts";

/** Content that existed before the target, and who owned its lines there. */
export interface CarrySource {
  readonly content: Uint8Array;
  /** Lines outside of the runs have no owner that this source knows. */
  readonly runs: OwnerRuns;
  /**
   * True if the source knows every line of its content: one without an owner is then nobody's, and no later source is
   * asked. False where it knows only the lines that one commit added.
   */
  readonly isComplete: boolean;
  /**
   * `told`: something says that the target was made from this source (a reported rewrite, a message, a header): each
   * identical line counts. `found`: only the content says so: nothing counts unless every line in question stands in
   * the source and one of them holds a word.
   */
  readonly pairing: "told" | "found";
}

export interface CarryTarget {
  readonly content: Uint8Array;
  /** Lines that look for an owner: those that a commit adds and that nobody was seen writing. Sorted, 1-based. */
  readonly open: readonly LineRange[];
}

export interface CarryResult {
  /** Only lines of `open`, each with one owner. */
  readonly runs: OwnerRuns;
  /** Indexes of the sources that gave an owner to some line. */
  readonly used: ReadonlySet<number>;
}

/**
 * Owners follow content: each open line of the target takes the owner that an identical line has in the first source
 * that knows it, along the content (a moved block counts, a similar line does not). Pure. Sources come strongest
 * first; of commits that one was squashed from, the newest first.
 */
export function carry(sources: readonly CarrySource[], target: CarryTarget): CarryResult {
  const interner = createLineInterner();
  const next = interner.intern(target.content);
  const owners: OwnerKey[] = decodeLineOwners([], next.ids.length);
  const open = new Set<number>();
  for (const { first, last } of target.open)
    for (let line = first; line <= Math.min(last, next.ids.length); line += 1) open.add(line);
  const used = new Set<number>();
  for (const [index, source] of sources.entries()) {
    if (open.size === 0) break;
    const places = identicalLines(interner.intern(source.content), next);
    const known = [...open].filter((line) => (places[line - 1] ?? -1) !== -1);
    const isProof = known.length === open.size && known.some((line) => isSolid(next.line(line - 1)));
    if (source.pairing === "found" && !isProof) continue;
    for (const line of known) {
      const key = keyAtLine(source.runs, (places[line - 1] ?? 0) + 1);
      if (key !== undefined) {
        owners[line - 1] = key;
        used.add(index);
      }
      if (key !== undefined || source.isComplete) open.delete(line);
    }
  }
  return { runs: runsOfOwners(owners), used };
}

/** One owner a line, as runs; null lines are left out. */
export function runsOfOwners(owners: readonly OwnerKey[]): OwnerRuns {
  const runs: OwnerRun[] = [];
  let first = 1;
  for (const [count, key] of encodeLineOwners(owners)) {
    if (key !== null) runs.push({ first, last: first + count - 1, key });
    first += count;
  }
  return runs;
}
