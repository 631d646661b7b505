import { isAscii } from "../../base/bytes.ts";
import { isOid, type Oid } from "../../git/ids.ts";
import { unquotePath } from "../../git/objects/quoted-path.ts";
import type { LineOrigin } from "./owner-lookup.ts";

/** One line of `git blame --porcelain` or `--line-porcelain`. */
export interface BlameLine extends LineOrigin {
  readonly finalLine: number;
  /** Without the newline, one character per byte: the content may be in any encoding. */
  readonly contentBytes: string;
  readonly details: CommitDetails;
}

/** Header lines of a commit by name (`author`, `author-mail`, `author-time`, `summary`, ...), one character per byte. */
export type CommitDetails = ReadonlyMap<string, string>;

/** Reads the whole output: git itself holds all of it before it prints the first line. */
export function parseBlamePorcelain(output: Buffer): BlameLine[] {
  const text = output.toString("latin1");
  const lines: BlameLine[] = [];
  const details = new Map<Oid, Map<string, string>>();
  const paths = new Map<Oid, string>();
  let header: BlameHeader | undefined;
  for (let start = 0; start < text.length; ) {
    const found = text.indexOf("\n", start);
    const end = found === -1 ? text.length : found;
    const line = text.slice(start, end);
    start = end + 1;
    if (header === undefined) {
      header = parseBlameHeader(line);
      if (header !== undefined && !details.has(header.commit)) details.set(header.commit, new Map());
    } else if (line.startsWith("\t")) {
      const { commit, originalLine, finalLine } = header;
      lines.push({
        commit,
        path: paths.get(commit) ?? "",
        line: originalLine,
        finalLine,
        contentBytes: line.slice(1),
        details: details.get(commit) ?? noDetails,
      });
      header = undefined;
    } else {
      const space = line.indexOf(" ");
      const name = space === -1 ? line : line.slice(0, space);
      const value = space === -1 ? "" : line.slice(space + 1);
      if (name === "filename") paths.set(header.commit, unquotePath(textOfBytes(value)));
      else details.get(header.commit)?.set(name, value);
    }
  }
  return lines;
}

const noDetails: CommitDetails = new Map();

/** UTF-8 text of a string that holds one byte per character. */
export function textOfBytes(bytes: string): string {
  return isAscii(bytes) ? bytes : Buffer.from(bytes, "latin1").toString("utf8");
}

export interface BlameHeader {
  readonly commit: Oid;
  readonly originalLine: number;
  readonly finalLine: number;
  /** Lines of the group; absent on its later lines. */
  readonly count: number | undefined;
}

/** `<commit> <original line> <final line> [<count>]`. */
export function parseBlameHeader(text: string): BlameHeader | undefined {
  const [commit, original, final, count] = text.split(" ");
  if (commit === undefined || !isOid(commit) || original === undefined || final === undefined)
    return undefined;
  return {
    commit,
    originalLine: Number(original),
    finalLine: Number(final),
    count: count === undefined ? undefined : Number(count),
  };
}
