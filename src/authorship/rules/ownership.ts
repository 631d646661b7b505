import {
  addLineOwner,
  type LineOwnerRun,
  LineOwners,
  type OwnerKey,
  sessionOfOwner,
} from "../../journal/line-owners.ts";
import { createLineInterner } from "./content-lines.ts";
import { type Change, type LineDiff, LineSources, taken } from "./line-diff.ts";
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
  /** Where each line of the new content comes from; taken where this edit made or took it. */
  readonly sources: LineSources;
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
  const oldOwners = new LineOwners(before.runs);
  const runs: [number, OwnerKey][] = [];
  let takenLines = 0;
  for (const { first, count, source } of sources.runs()) {
    if (source === taken) takenLines += count;
    if (source === taken) addLineOwner(runs, edit.author, count);
    else if (source.length === 1) oldOwners.copy(sources.placeOf(first), count, runs);
    else addLineOwner(runs, commonOwner(source, oldOwners));
  }
  return {
    runs,
    sources,
    overridden: countOverridden({ sources, oldOwners, changes }, edit.author),
    takenLines,
  };
}

function sourceLines(comparison: LineDiff, kind: Edit["kind"]): LineSources {
  const sources = new LineSources(comparison);
  const usedOldLines = matchMovedLines(comparison, sources, kind === "person" ? "trimmed" : "exact");
  if (kind === "person") inheritThroughReformatting(comparison, sources, usedOldLines);
  return sources;
}

/** Lines that were joined from several owners belong to none of them. */
function commonOwner(source: readonly number[], oldOwners: LineOwners): OwnerKey {
  const owners = new Set(source.map((line) => oldOwners.at(line)));
  return owners.size === 1 ? ([...owners][0] ?? null) : null;
}

function countOverridden(
  edit: { sources: LineSources; oldOwners: LineOwners; changes: readonly Change[] },
  author: OwnerKey,
): Map<string, number> {
  const { sources, oldOwners, changes } = edit;
  const overridden = new Map<string, number>();
  if (changes.every(({ oldCount }) => oldCount === 0)) return overridden;
  const authorSession = author === null ? null : sessionOfOwner(author);
  for (const { oldStart, oldCount } of changes) {
    for (let line = oldStart; line < oldStart + oldCount; line += 1) {
      const owner = oldOwners.at(line);
      if (owner === null || sources.isNamed(line)) continue;
      const session = sessionOfOwner(owner);
      if (session !== authorSession) overridden.set(session, (overridden.get(session) ?? 0) + 1);
    }
  }
  return overridden;
}
