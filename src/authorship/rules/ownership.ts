import {
  decodeLineOwners,
  encodeLineOwners,
  type LineOwnerRun,
  type OwnerKey,
  sessionOfOwner,
} from "../../journal/line-owners.ts";
import type { Change } from "./comparison.ts";
import { type Comparison, type LineSource, taken } from "./comparison.ts";
import { createLineInterner } from "./content-lines.ts";
import { matchMovedLines } from "./moved-lines.ts";
import { inheritThroughReformatting } from "./reformatting.ts";
import { diffLines } from "./sequence-diff.ts";

/** Content and who owns each of its lines. */
export interface OwnedContent {
  readonly content: Uint8Array;
  readonly runs: readonly LineOwnerRun[];
}

export interface Edit {
  /** Null when nobody was seen doing it. */
  readonly author: OwnerKey;
  /**
   * `agent`: every line that the edit changed is the author's, by a blank or by a word: a tool call was seen before
   * and after. `person`: a line is taken only if one of its tokens changed; re-indenting and reformatting keep the
   * owner, since formatters run behind every save.
   */
  readonly kind: "agent" | "person";
}

export interface EditResult {
  readonly runs: readonly LineOwnerRun[];
  /** By line of the new content: false where this edit made or took the line. */
  readonly carried: readonly boolean[];
  /** Lines of each session that somebody else changed or removed. */
  readonly overridden: ReadonlyMap<string, number>;
  /** Lines that this edit gave to its author. */
  readonly takenLines: number;
}

/**
 * Who owns each line after an edit (docs/authorship.md): unchanged lines keep their owner, as do lines moved inside
 * the file and, for people, lines that were only reformatted; the rest belongs to the edit's author. Pure.
 */
export function applyEdit(before: OwnedContent, after: Uint8Array, edit: Edit): EditResult {
  const interner = createLineInterner();
  const old = interner.intern(before.content);
  const next = interner.intern(after);
  const changes = diffLines(old, next);
  const sources = sourceLines({ old, next, changes }, edit.kind);
  const oldOwners = decodeLineOwners(before.runs, old.ids.length);
  const owners: OwnerKey[] = [];
  const carried: boolean[] = [];
  for (const source of sources) {
    const isCarried = source !== taken;
    carried.push(isCarried);
    owners.push(isCarried ? commonOwner(source, oldOwners) : edit.author);
  }
  return {
    runs: encodeLineOwners(owners),
    carried,
    overridden: countOverridden({ sources, oldOwners, changes }, edit.author),
    takenLines: carried.filter((isCarried) => !isCarried).length,
  };
}

function sourceLines(comparison: Comparison, kind: Edit["kind"]): LineSource[] {
  const sources: LineSource[] = [];
  let oldIndex = 0;
  for (const change of [...comparison.changes, undefined]) {
    const equalUntil = change?.newStart ?? comparison.next.ids.length;
    while (sources.length < equalUntil) sources.push([oldIndex++]);
    for (let count = change?.newCount ?? 0; count > 0; count -= 1) sources.push(taken);
    oldIndex += change?.oldCount ?? 0;
  }
  const usedOldLines = matchMovedLines(comparison, sources, kind === "person" ? "trimmed" : "exact");
  if (kind === "person") inheritThroughReformatting(comparison, sources, usedOldLines);
  return sources;
}

/** Lines that were joined from several owners belong to none of them. */
function commonOwner(source: readonly number[], oldOwners: readonly OwnerKey[]): OwnerKey {
  const owners = new Set(source.map((line) => oldOwners[line] ?? null));
  return owners.size === 1 ? ([...owners][0] ?? null) : null;
}

function countOverridden(
  edit: { sources: readonly LineSource[]; oldOwners: readonly OwnerKey[]; changes: readonly Change[] },
  author: OwnerKey,
): Map<string, number> {
  const kept = new Set<number>();
  for (const source of edit.sources) if (source !== taken) for (const line of source) kept.add(line);
  const authorSession = author === null ? null : sessionOfOwner(author);
  const overridden = new Map<string, number>();
  for (const { oldStart, oldCount } of edit.changes) {
    for (let line = oldStart; line < oldStart + oldCount; line += 1) {
      const owner = edit.oldOwners[line] ?? null;
      if (owner === null || kept.has(line)) continue;
      const session = sessionOfOwner(owner);
      if (session !== authorSession) overridden.set(session, (overridden.get(session) ?? 0) + 1);
    }
  }
  return overridden;
}
