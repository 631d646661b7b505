import { unquotePath } from "../../git/objects/quoted-path.ts";
import type { LineRange } from "../rules/owner-runs.ts";

export type DiffLineKind = "header" | "hunk" | "context" | "added" | "removed";

export interface DiffLine {
  readonly kind: DiffLineKind;
  /** One character per byte, without the newline. */
  readonly bytes: string;
  /** On the new side for added lines, on the old side for removed ones. */
  readonly line?: number;
}

/** One file of a unified diff. */
export interface FileDiff {
  /** Undefined on the side that does not have the file. */
  readonly oldPath: string | undefined;
  readonly newPath: string | undefined;
  readonly lines: readonly DiffLine[];
}

/** Reads a unified diff (prefixes `a/` and `b/`) file by file; text before the first file is a file without paths. */
export function parseUnifiedDiff(output: Buffer): FileDiff[] {
  const text = output.toString("latin1");
  const files: FileDiff[] = [];
  let open: { oldPath: string | undefined; newPath: string | undefined; lines: DiffLine[] } | undefined;
  let left = { old: 0, new: 0 };
  let at = { old: 0, new: 0 };
  for (const bytes of text.replace(/\n$/, "").split("\n")) {
    if (text === "") break;
    const inHunk = left.old > 0 || left.new > 0;
    if (!inHunk && (bytes.startsWith("diff --") || open === undefined)) {
      open = { oldPath: undefined, newPath: undefined, lines: [] };
      files.push(open);
    }
    if (open === undefined) continue;
    if (!inHunk || bytes.startsWith("\\")) {
      const hunk = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/.exec(bytes);
      if (hunk !== null) {
        at = { old: Number(hunk[1]), new: Number(hunk[3]) };
        left = { old: Number(hunk[2] ?? 1), new: Number(hunk[4] ?? 1) };
      } else if (bytes.startsWith("--- ")) open.oldPath = sidePath(bytes.slice(4));
      else if (bytes.startsWith("+++ ")) open.newPath = sidePath(bytes.slice(4));
      open.lines.push({ kind: hunk === null ? "header" : "hunk", bytes });
      continue;
    }
    const kind = bytes.startsWith("+") ? "added" : bytes.startsWith("-") ? "removed" : "context";
    open.lines.push(
      kind === "context" ? { kind, bytes } : { kind, bytes, line: kind === "added" ? at.new : at.old },
    );
    if (kind !== "added") {
      at.old += 1;
      left.old -= 1;
    }
    if (kind !== "removed") {
      at.new += 1;
      left.new -= 1;
    }
  }
  return files;
}

/** `a/path`, quoted or not; git ends an unquoted one that has spaces with a tab. */
function sidePath(bytes: string): string | undefined {
  const text = Buffer.from(bytes.replace(/\t$/, ""), "latin1").toString("utf8");
  return text === "/dev/null" ? undefined : unquotePath(text).slice(2);
}

/** The lines of one kind as ranges. */
export function changedRanges(file: FileDiff, kind: "added" | "removed"): LineRange[] {
  const ranges: LineRange[] = [];
  for (const { line } of file.lines.filter((candidate) => candidate.kind === kind)) {
    const previous = ranges.at(-1);
    if (line === undefined) continue;
    if (previous !== undefined && previous.last + 1 === line)
      ranges[ranges.length - 1] = { first: previous.first, last: line };
    else ranges.push({ first: line, last: line });
  }
  return ranges;
}
