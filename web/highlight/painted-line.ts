/** Lengths and roles of the pieces of a line in turn: `[6, 3, 1, 0]` is six characters of role 3 and one of none. */
export type PaintedLine = readonly number[];

/** What a piece can be; 0 is none. The names are those of the style's classes. */
export const roles: readonly string[] = [
  "",
  "keyword",
  "string",
  "comment",
  "constant",
  "function",
  "parameter",
  "punctuation",
  "link",
  "inserted",
  "deleted",
  "changed",
];

/** From the page to the worker: a file, then which of its lines are wanted. */
export type PaintRequest =
  | {
      readonly kind: "file";
      readonly file: number;
      readonly path: string;
      readonly text: readonly string[];
    }
  | { readonly kind: "lines"; readonly file: number; readonly from: number; readonly until: number };

/** From the worker to the page. */
export interface PaintReply {
  readonly file: number;
  readonly from: number;
  readonly lines: readonly PaintedLine[];
}
