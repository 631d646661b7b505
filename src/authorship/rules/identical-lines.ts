import type { ContentLines } from "./content-lines.ts";
import { type LineDiff, LineSources } from "./line-diff.ts";
import { matchMovedLines } from "./moved-lines.ts";
import { diffLines } from "./sequence-diff.ts";
import { isSolid } from "./tokens.ts";

const nowhere = -1;

/**
 * For each line of `next` the index of the line of `old` that it is, or -1: the lines that a diff keeps, blocks that
 * moved, and single lines with a word that stand once on either side. Both contents are of one interner.
 */
export function identicalLines(old: ContentLines, next: ContentLines): Int32Array {
  const comparison: LineDiff = { old, next, changes: diffLines(old, next) };
  const sources = new LineSources(comparison);
  const used = matchMovedLines(comparison, sources, "exact");
  const places = Int32Array.from({ length: sources.count }, (_, line) => sources.placeOf(line));
  placeUniqueLines(comparison, places, used);
  return places;
}

function placeUniqueLines({ old, next }: LineDiff, places: Int32Array, used: ReadonlySet<number>): void {
  if (!places.includes(nowhere)) return;
  const oldPlaces = uniquePlaces(old.ids);
  const newPlaces = uniquePlaces(next.ids);
  places.forEach((place, index) => {
    const id = next.ids[index] ?? nowhere;
    const from = oldPlaces.get(id) ?? nowhere;
    if (place !== nowhere || from === nowhere || used.has(from)) return;
    if (newPlaces.get(id) === index && isSolid(next.line(index))) places[index] = from;
  });
}

/** Where each line stands; -1 for one that stands more than once. */
function uniquePlaces(ids: Uint32Array): Map<number, number> {
  const places = new Map<number, number>();
  ids.forEach((id, index) => void places.set(id, places.has(id) ? nowhere : index));
  return places;
}
