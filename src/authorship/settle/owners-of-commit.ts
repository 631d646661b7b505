import { asBuffer } from "../../base/bytes.ts";
import { countLinesOf } from "../../base/text/line-starts.ts";
import type { Hunk } from "../../git/objects/file-patch.ts";
import { LineOwners, type OwnerKey } from "../../journal/line-owners.ts";
import { addedRanges } from "../rules/added-lines.ts";
import type { OwnerRun, OwnerRuns } from "../rules/owner-runs.ts";
import { applyEdit, type OwnedContent } from "../rules/ownership.ts";

/** Contents that a file had, newest first, with the owners of their lines: evidence for what was committed. */
export interface OwnerSources {
  /** States of the time before the commit. The newest one that knows a line decides, even that it is nobody's. */
  readonly states: readonly OwnedContent[];
  /** The replaced commit's own file, for an amend: asked for what the states leave open. */
  readonly replaced?: OwnedContent;
}

/**
 * Who owns the lines that a commit adds to a file: each state is carried to the committed content as an edit that
 * nobody was seen making, so reformatting (a pre-commit formatter) keeps owners, and text that no state held is
 * nobody's. Pure.
 */
export function ownersOfAddedLines(
  committed: Uint8Array,
  hunks: readonly Hunk[],
  sources: OwnerSources,
): OwnerRuns {
  const added = addedRanges(hunks);
  const lineCount = countLinesOf(asBuffer(committed));
  const owners: OwnerKey[] = Array.from({ length: lineCount }, () => null);
  const open = new Set<number>();
  for (const { first, last } of added)
    for (let line = first; line <= Math.min(last, lineCount); line += 1) open.add(line);

  const ask = (state: OwnedContent, decidesNobody: boolean) => {
    const result = applyEdit(state, committed, { author: null, kind: "person" });
    const carried = new LineOwners(result.runs);
    for (const line of open) {
      if (result.sources.isTaken(line - 1)) continue;
      const owner = carried.at(line - 1);
      owners[line - 1] = owner;
      if (owner !== null || decidesNobody) open.delete(line);
    }
  };
  for (const state of sources.states) if (open.size > 0) ask(state, true);
  if (sources.replaced !== undefined) {
    // a state knows the replaced commit's lines only as nobody's
    for (const { first, last } of added) {
      for (let line = first; line <= Math.min(last, lineCount); line += 1)
        if (owners[line - 1] === null) open.add(line);
    }
    ask(sources.replaced, false);
  }
  return runsOf(owners);
}

/** Content whose owners are given by a note's runs; lines outside of them are nobody's. */
export function ownedByRuns(content: Uint8Array, runs: OwnerRuns): OwnedContent {
  const owners: OwnerKey[] = Array.from({ length: countLinesOf(asBuffer(content)) }, () => null);
  for (const { first, last, key } of runs) {
    for (let line = first; line <= Math.min(last, owners.length); line += 1) owners[line - 1] = key;
  }
  return { content, runs: owners.map((owner) => [1, owner]) };
}

function runsOf(owners: readonly OwnerKey[]): OwnerRuns {
  const runs: OwnerRun[] = [];
  owners.forEach((key, index) => {
    if (key === null) return;
    const last = runs.at(-1);
    if (last !== undefined && last.key === key && last.last === index)
      runs[runs.length - 1] = { ...last, last: index + 1 };
    else runs.push({ first: index + 1, last: index + 1, key });
  });
  return runs;
}
