import { createLineInterner } from "../authorship/rules/content-lines.ts";
import { identicalLines } from "../authorship/rules/identical-lines.ts";
import type { OwnedLine } from "../workflows/ask/file-owners.ts";

/** Owners of the lines of a document as it is in the editor; index 0 is line 1. Undefined: typed since the last save. */
export type DocumentOwners = readonly (OwnedLine | undefined)[];

/**
 * Follows lines from the file on disk to the document: a line that the document changed has no owner yet. Both are split
 * as git splits lines.
 */
export function ownersInDocument(owned: readonly OwnedLine[], disk: Buffer, text: string): DocumentOwners {
  const document = Buffer.from(text);
  if (document.equals(disk)) return owned;
  const interner = createLineInterner();
  const places = identicalLines(interner.intern(disk), interner.intern(document));
  return Array.from(places, (place) => owned[place]);
}

/** Lines that follow each other and have the same owner, commit and prompt. */
export interface OwnerBlock {
  /** 0-based and inclusive, as the protocol counts. */
  readonly first: number;
  readonly last: number;
  readonly line: OwnedLine;
}

/** Blocks of lines with a known owner, in order. */
export function blocksOf(owners: DocumentOwners): OwnerBlock[] {
  const blocks: OwnerBlock[] = [];
  owners.forEach((line, index) => {
    if (line?.owner === undefined) return;
    const before = blocks.at(-1);
    if (before !== undefined && before.last === index - 1 && isSameOwner(before.line, line))
      blocks[blocks.length - 1] = { ...before, last: index };
    else blocks.push({ first: index, last: index, line });
  });
  return blocks;
}

function isSameOwner(one: OwnedLine, other: OwnedLine): boolean {
  return (
    one.commit === other.commit &&
    one.owner?.name === other.owner?.name &&
    one.owner?.session === other.owner?.session &&
    one.owner?.prompt === other.owner?.prompt
  );
}
