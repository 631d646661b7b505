import { createHash } from "node:crypto";
import { sha256Hex } from "../../base/digest.ts";
import { countLinesOf } from "../../base/text/line-starts.ts";
import { maxLinedFileBytes } from "../../journal/limits.ts";
import type { LineOwnerRun, OwnerKey } from "../../journal/line-owners.ts";
import { type PathState, type StatMark, sameMark } from "../../journal/path-state.ts";
import type { FileStat, Files } from "../../system/files/files.ts";

/** What a path holds now. */
export interface PathSnapshot {
  readonly kind: PathState["kind"];
  readonly mode: number;
  readonly digest: string;
  readonly sizeBytes: number;
  readonly unlined?: "binary" | "large";
  /** Undefined for an absent path, and for a file too large to hold. */
  readonly content: Buffer | undefined;
  readonly mark?: StatMark;
}

const absentSnapshot: PathSnapshot = {
  kind: "absent",
  mode: 0,
  digest: "",
  sizeBytes: 0,
  content: undefined,
};

/** As git does: a NUL among the first bytes makes a file binary. */
const binaryProbeBytes = 8000;

/** Takes the state of a path on disk. A directory (or what is no file) in its place counts as absent. */
export function snapshotPath(files: Files, absolute: string): PathSnapshot {
  const stat = files.statIfExists(absolute);
  if (stat === undefined) return absentSnapshot;
  if (stat.kind === "symlink") {
    const target = Buffer.from(files.readLinkIfExists(absolute) ?? "");
    return { ...snapshotContent(target, 0), kind: "symlink", mark: markOf(stat) };
  }
  if (stat.kind !== "file") return absentSnapshot;
  if (stat.sizeBytes > maxLinedFileBytes) return captureLarge(files, absolute, stat);
  const content = files.readIfExists(absolute);
  return content === undefined
    ? absentSnapshot
    : { ...snapshotContent(content, stat.mode), mark: markOf(stat) };
}

/** The state of content that is not (yet) on disk: an editor's buffer, a blob. Null is an absent file. */
export function snapshotContent(content: Buffer | null, mode = 0o644): PathSnapshot {
  if (content === null) return absentSnapshot;
  const isBinary = content.subarray(0, binaryProbeBytes).includes(0);
  return {
    kind: "file",
    mode,
    digest: sha256Hex(content),
    sizeBytes: content.length,
    ...(content.length > maxLinedFileBytes
      ? { unlined: "large" as const }
      : isBinary
        ? { unlined: "binary" as const }
        : {}),
    content,
  };
}

/** The state to record: `runs` for text and for a symlink (one line, its target), none for what has no lines. */
export function stateOf(capture: PathSnapshot, runs: readonly LineOwnerRun[]): PathState {
  const { kind, mode, digest, sizeBytes, unlined } = capture;
  return {
    kind,
    mode,
    digest,
    sizeBytes,
    ...(unlined ? { unlined } : {}),
    runs: unlined === undefined && kind !== "absent" ? runs : [],
  };
}

/** All lines of one owner. */
export function uniformRuns(capture: PathSnapshot, owner: OwnerKey): LineOwnerRun[] {
  if (capture.content === undefined || capture.unlined !== undefined) return [];
  const count = countLinesOf(capture.content);
  return count === 0 ? [] : [[count, owner]];
}

export function markOf(stat: FileStat): StatMark {
  return { mtimeMs: stat.mtimeMs, ctimeMs: stat.ctimeMs, sizeBytes: stat.sizeBytes, inode: stat.inode };
}

/** True if the file at the path is, by its times, size and inode, the one that was looked at. */
export function isUnchanged(files: Files, absolute: string, mark: StatMark | null | undefined): boolean {
  const stat = files.statIfExists(absolute);
  return stat !== undefined && mark !== null && mark !== undefined && sameMark(markOf(stat), mark);
}

/** What a hook reads of one file at most. */
const maxDigestedBytes = 256 * 1024 * 1024;

function captureLarge(files: Files, absolute: string, stat: FileStat): PathSnapshot {
  const hash = createHash("sha256");
  if (stat.sizeBytes <= maxDigestedBytes) for (const chunk of files.readChunks(absolute)) hash.update(chunk);
  else {
    // a hook cannot read gigabytes: such a file has no lines, so whether it was written since is all that counts
    hash.update(JSON.stringify(markOf(stat)));
    hash.update(files.readTail(absolute, binaryProbeBytes));
  }
  return {
    kind: "file",
    mode: stat.mode,
    digest: hash.digest("hex"),
    sizeBytes: stat.sizeBytes,
    unlined: "large",
    content: undefined,
    mark: markOf(stat),
  };
}
