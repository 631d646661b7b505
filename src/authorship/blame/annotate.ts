import { isAscii } from "../../base/bytes.ts";
import type { LineOwner } from "./owner-lookup.ts";
import { type BlameLine, textOfBytes } from "./porcelain.ts";

const tab = 0x09;
const colourReset = "\x1b[m";

export interface TextColumn {
  /** Cell of the n-th line: shown before the line number, already padded; all equally wide. */
  cellAt(index: number): string;
  /** What git prints before it (id, path, author, date), made safe where it goes to a terminal. */
  readonly cleanHead?: (head: string) => string;
  /** git's `-c` layout. */
  readonly compatible: boolean;
}

/**
 * Git's own text with one more column, right before the line number. Everything else stays byte for byte. Undefined if
 * the text is not line for line what `lines` describes (a file name with a newline in a name column).
 */
export function annotateBlameText(
  output: Buffer,
  lines: readonly BlameLine[],
  column: TextColumn,
): Buffer | undefined {
  // one character per byte throughout: the content may be in any encoding
  const text = output.toString("latin1");
  const digits = String(lines.reduce((largest, { finalLine }) => Math.max(largest, finalLine), 0)).length;
  const pieces: string[] = [];
  let start = 0;
  for (const [index, line] of lines.entries()) {
    const found = text.indexOf("\n", start);
    const end = found === -1 ? text.length : found;
    const at = columnOffset(text.slice(start, end), line, column.compatible ? undefined : digits);
    if (at === undefined) return undefined;
    const head = text.slice(start, start + at);
    const clean = column.cleanHead === undefined ? head : bytesOfText(column.cleanHead(textOfBytes(head)));
    pieces.push(clean, bytesOfText(column.cellAt(index)), text.slice(start + at, end), "\n");
    start = end + 1;
  }
  // `--show-stats` prints after the last line
  pieces.push(text.slice(start));
  return Buffer.from(pieces.join(""), "latin1");
}

/** Where the line number (with the space or tab before it) starts: counted from the end, where the content is known. */
function columnOffset(whole: string, line: BlameLine, digits: number | undefined): number | undefined {
  if (!whole.endsWith(line.contentBytes)) return undefined;
  let end = whole.length - line.contentBytes.length;
  if (whole.startsWith(colourReset, end - colourReset.length)) end -= colourReset.length;
  const number =
    digits === undefined ? `\t${line.finalLine})` : ` ${String(line.finalLine).padStart(digits)}) `;
  const at = end - number.length;
  return at >= 0 && whole.startsWith(number, at) ? at : undefined;
}

function bytesOfText(text: string): string {
  return isAscii(text) ? text : Buffer.from(text).toString("latin1");
}

/**
 * Git's own porcelain with header lines added before each line that somebody owns: parsers that skip headers they do
 * not know keep working.
 */
export function annotateBlamePorcelain(output: Buffer, owners: readonly (LineOwner | undefined)[]): Buffer {
  const pieces: Buffer[] = [];
  let index = 0;
  for (let start = 0; start < output.length; ) {
    const found = output.indexOf(0x0a, start);
    const end = found === -1 ? output.length : found + 1;
    if (output[start] === tab) {
      pieces.push(Buffer.from(ownerHeaders(owners[index])));
      index += 1;
    }
    pieces.push(output.subarray(start, end));
    start = end;
  }
  return Buffer.concat(pieces);
}

/** `keyframe-owner <kind> <name>`, and for an agent `keyframe-session` and `keyframe-trace`. */
function ownerHeaders(owned: LineOwner | undefined): string {
  return owned === undefined
    ? ""
    : ownerFields(owned)
        .map((field) => `keyframe-${field}\n`)
        .join("");
}

function ownerFields({ owner }: LineOwner): string[] {
  if (owner.kind === "human") return [`owner human ${oneLine(owner.identity)}`];
  const fields = [
    `owner agent ${oneLine(`${owner.agent.tool} ${owner.agent.model}`)}`,
    `session ${oneLine(owner.session)}`,
  ];
  return owner.trace === undefined ? fields : [...fields, `trace ${oneLine(owner.trace)}`];
}

/** Names come from notes: nothing in them may start a header of its own. */
function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, "\ufffd");
}

/**
 * Headers for a group of `--incremental` output, where lines of one group may have several owners: one
 * `keyframe-owner <first>-<last> ...` per run, in line numbers of the result.
 */
export function incrementalHeaders(firstLine: number, owners: readonly (LineOwner | undefined)[]): string {
  let text = "";
  for (let from = 0; from < owners.length; ) {
    const owned = owners[from];
    let to = from;
    while (to + 1 < owners.length && owners[to + 1]?.key === owned?.key) to += 1;
    if (owned !== undefined) {
      const [owner, ...rest] = ownerFields(owned);
      const range = `${firstLine + from}-${firstLine + to}`;
      text += `keyframe-owner ${range} ${owner?.slice("owner ".length)}\n`;
      for (const field of rest) text += `keyframe-${field.replace(" ", ` ${range} `)}\n`;
    }
    from = to + 1;
  }
  return text;
}
