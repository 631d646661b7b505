import { decodeLineOwners, encodeLineOwners, type OwnerKey } from "../../journal/line-owners.ts";
import { type ContentLines, createLineInterner } from "./content-lines.ts";
import { identicalLines } from "./identical-lines.ts";
import type { EditResult, OwnedContent } from "./ownership.ts";
import { isSolid } from "./tokens.ts";

/** What an edit brought in that existed before it. */
export interface Origins {
  /** Earlier contents, the ones that know owners first. */
  readonly contents: readonly OwnedContent[];
  /** True if the whole new content existed before: then the edit made none of its lines. */
  readonly isWhole: boolean;
}

export interface TracedEdit extends EditResult {
  /** Lines that the edit only brought back or brought in. */
  readonly broughtLines: number;
}

/**
 * Takes from an edit's author the lines that existed before: a run of them that stands in an earlier content keeps the
 * owner that it had there. A run without any word (braces, blanks) is too common to come from anywhere. Pure.
 */
export function traceEdit(edit: EditResult, after: Uint8Array, origins: Origins): TracedEdit {
  if (edit.takenLines === 0 || (origins.contents.length === 0 && !origins.isWhole))
    return { ...edit, broughtLines: 0 };
  const interner = createLineInterner();
  const next = interner.intern(after);
  const owners = decodeLineOwners(edit.runs, next.count);
  const open = new Set<number>();
  for (let line = 0; line < edit.sources.count; line += 1) if (edit.sources.isTaken(line)) open.add(line);
  const taken = open.size;
  for (const { content, runs } of origins.contents) {
    if (open.size === 0) break;
    const old = interner.intern(content);
    const oldOwners = decodeLineOwners(runs, old.count);
    for (const { index, place } of broughtLines(next, identicalLines(old, next), open)) {
      owners[index] = oldOwners[place] ?? null;
      open.delete(index);
    }
  }
  if (origins.isWhole) {
    for (const index of open) owners[index] = null;
    open.clear();
  }
  return {
    ...edit,
    runs: encodeLineOwners(owners satisfies OwnerKey[]),
    takenLines: open.size,
    broughtLines: taken - open.size,
  };
}

interface BroughtLine {
  readonly index: number;
  readonly place: number;
}

/** Open lines in runs that stand in a row in the earlier content too, each run with a word in it. */
function broughtLines(next: ContentLines, places: Int32Array, open: ReadonlySet<number>): BroughtLine[] {
  const brought: BroughtLine[] = [];
  let run: BroughtLine[] = [];
  const close = () => {
    if (run.some(({ index }) => isSolid(next.line(index)))) brought.push(...run);
    run = [];
  };
  places.forEach((place, index) => {
    const previous = run.at(-1);
    if (place === -1 || !open.has(index)) {
      close();
      return;
    }
    if (previous !== undefined && previous.place + 1 !== place) close();
    run.push({ index, place });
  });
  close();
  return brought;
}
