import { decodeLineOwners, encodeLineOwners, type OwnerKey } from "../../journal/line-owners.ts";
import { inRanges } from "./added-lines.ts";
import { type ContentLines, createLineInterner } from "./content-lines.ts";
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
  /** Lines of a complete source that it knows nothing of after all: it is not asked about these. */
  readonly unknown?: readonly LineRange[];
  /**
   * `told`: something says that the target was made from this source (a reported rewrite, a message, a header): each
   * identical line counts. `near`: the source is likely: lines count in runs, each with a word in it. `found`: only the
   * content says so: nothing counts unless every line in question stands in the source and one of them holds a word.
   */
  readonly pairing: "told" | "near" | "found";
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
  /** Lines that no source knew. */
  readonly open: readonly LineRange[];
}

/**
 * Owners follow content: each open line of the target takes the owner that an identical line has in the first source
 * that knows it, along the content (a moved block counts, a similar line does not). Pure. Sources come strongest
 * first; of commits that one was squashed from, the newest first.
 */
export function carry(sources: readonly CarrySource[], target: CarryTarget): CarryResult {
  const interner = createLineInterner();
  const next = interner.intern(target.content);
  const owners: OwnerKey[] = decodeLineOwners([], next.count);
  const open = openLines(target, next);
  const used = new Set<number>();
  for (const [index, source] of sources.entries()) {
    if (open.size === 0) break;
    const places = identicalLines(interner.intern(source.content), next);
    for (const line of knownLines(source, { next, places, open })) {
      const key = keyAtLine(source.runs, (places[line - 1] ?? 0) + 1);
      if (key !== undefined) {
        owners[line - 1] = key;
        used.add(index);
      }
      if (key !== undefined || source.isComplete) open.delete(line);
    }
  }
  return { runs: runsOfOwners(owners), used, open: [...open].map((line) => ({ first: line, last: line })) };
}

/** True if content alone shows that the target's open lines come from here: what `found` asks for. */
export function holdsLines(content: Uint8Array, target: CarryTarget): boolean {
  const interner = createLineInterner();
  const next = interner.intern(target.content);
  const places = identicalLines(interner.intern(content), next);
  const source: CarrySource = { content, runs: [], isComplete: true, pairing: "found" };
  return knownLines(source, { next, places, open: openLines(target, next) }).length > 0;
}

function openLines({ open }: CarryTarget, { count }: ContentLines): Set<number> {
  const lines = new Set<number>();
  for (const { first, last } of open)
    for (let line = first; line <= Math.min(last, count); line += 1) lines.add(line);
  return lines;
}

interface Mapping {
  readonly next: ContentLines;
  readonly places: Int32Array;
  readonly open: ReadonlySet<number>;
}

/** The open lines that a source may speak for, by how it was paired with the target. */
function knownLines({ pairing, unknown }: CarrySource, { next, places, open }: Mapping): number[] {
  const isKnown = (line: number) => {
    const place = places[line - 1] ?? -1;
    return place !== -1 && !(unknown !== undefined && inRanges(unknown, place + 1));
  };
  const isWord = (line: number) => isSolid(next.line(line - 1));
  const known = [...open].filter(isKnown);
  if (pairing === "told") return known;
  if (pairing === "found") return known.length === open.size && known.some(isWord) ? known : [];
  return runsInBoth(known, places)
    .filter((run) => run.some(isWord))
    .flat();
}

/** Lines that stand in a row on both sides, as groups. */
function runsInBoth(lines: readonly number[], places: Int32Array): number[][] {
  const groups: number[][] = [];
  for (const line of lines) {
    const last = groups.at(-1);
    const before = last?.at(-1);
    const isNext = before === line - 1 && (places[before - 1] ?? 0) + 1 === places[line - 1];
    if (last !== undefined && isNext) last.push(line);
    else groups.push([line]);
  }
  return groups;
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
