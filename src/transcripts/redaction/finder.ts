/** Half-open range of characters of a text. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly rule: string;
}

/**
 * Looks closer where one of its words begins and adds what it finds. Called for places in the order in which the words end;
 * what it remembers is of one text, so that text which almost matches again and again is not looked at again and again.
 */
export type Look = (text: string, at: number, found: Span[]) => void;

/** Finds secrets of one kind. Every secret of the kind has one of the words at its beginning, or before it. */
export interface Finder {
  /** Each has at least two characters, one a byte; upper and lower case are different. */
  readonly words: readonly string[];
  /** For one text. */
  readonly begin: () => Look;
}
