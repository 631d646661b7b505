import { isOid, type Oid, type RepoPath } from "../ids.ts";
import type { CommitPatch, Hunk } from "./file-patch.ts";
import { unquotePath } from "./quoted-path.ts";

const newline = 0x0a;
const backslash = 0x5c;
/** Only headers are kept: a longer line can only be content. */
const maxHeaderBytes = 64 * 1024;

interface OpenFile {
  oldPath: RepoPath | undefined;
  newPath: RepoPath | undefined;
  binary: boolean;
  hunks: Hunk[];
  submodule?: true;
}

/**
 * Reads what `diff-tree -p` prints, piece by piece as it comes. The content of hunks is counted and passed over: it is
 * most of the bytes, and nobody asks for it.
 */
export class PatchParser {
  #commit: Oid | undefined;
  #files: OpenFile[] = [];
  #file: OpenFile | undefined;
  #finished: CommitPatch[] = [];
  /** Lines of content that are still to come. */
  #contentLines = 0;
  /** The beginning of a header that the last piece ended in; undefined while a line is too long to be one. */
  #held: Buffer | undefined = Buffer.alloc(0);
  /** Where in a line of content the last piece ended: nothing of it yet, or behind a first byte that counts or does not. */
  #inContent: "before" | "counts" | "comment" = "before";

  /** Commits whose changes are complete with this piece. */
  push(piece: Buffer): CommitPatch[] {
    for (let at = 0; at < piece.length; )
      at = this.#contentLines > 0 ? this.#skipContent(piece, at) : this.#readHeader(piece, at);
    return this.#takeFinished();
  }

  /** @param single true where one change without the name of a commit was asked for */
  end(single: boolean): CommitPatch[] {
    const held = this.#held ?? Buffer.alloc(0);
    if (held.length > 0) this.#takeHeader(held.toString("utf8"));
    if (this.#commit !== undefined || single) this.#finish(this.#commit ?? ("" as Oid));
    return this.#takeFinished();
  }

  #skipContent(piece: Buffer, from: number): number {
    let at = from;
    while (this.#contentLines > 0 && at < piece.length) {
      // "\ No newline at end of file" follows a line of content and is not one
      if (this.#inContent === "before") this.#inContent = piece[at] === backslash ? "comment" : "counts";
      const end = piece.indexOf(newline, at);
      at = end === -1 ? piece.length : end + 1;
      if (end === -1) break;
      if (this.#inContent === "counts") this.#contentLines -= 1;
      this.#inContent = "before";
    }
    // shown as text because attributes say so or were overruled
    if (this.#file?.binary === false && piece.subarray(from, at).includes(0)) markBinary(this.#file);
    return at;
  }

  #readHeader(piece: Buffer, at: number): number {
    const end = piece.indexOf(newline, at);
    const part = piece.subarray(at, end === -1 ? piece.length : end);
    const isTooLong = this.#held === undefined || this.#held.length + part.length > maxHeaderBytes;
    if (end === -1) {
      this.#held = isTooLong ? undefined : Buffer.concat([this.#held ?? part, part]);
      return piece.length;
    }
    if (!isTooLong) this.#takeHeader(textOf(this.#held, part));
    this.#held = noBytes;
    return end + 1;
  }

  #takeHeader(line: string): void {
    if (isOid(line)) {
      if (this.#commit !== undefined) this.#finish(this.#commit);
      this.#commit = line;
    } else if (line.startsWith("diff --git ")) {
      this.#file = { ...pathsOfHeader(line), binary: false, hunks: [] };
      this.#files.push(this.#file);
    } else if (this.#file !== undefined) {
      this.#contentLines = readFileLine(this.#file, line);
    }
  }

  #finish(commit: Oid): void {
    this.#finished.push({ commit, files: this.#files });
    this.#files = [];
    this.#file = undefined;
  }

  #takeFinished(): CommitPatch[] {
    const finished = this.#finished;
    if (finished.length > 0) this.#finished = [];
    return finished;
  }
}

const noBytes = Buffer.alloc(0);

function textOf(held: Buffer | undefined, part: Buffer): string {
  return held === undefined || held.length === 0
    ? part.toString("utf8")
    : Buffer.concat([held, part]).toString("utf8");
}

function markBinary(file: OpenFile): void {
  file.binary = true;
  file.hunks = [];
}

/** Takes one header line of a file; returns how many lines of content follow it. */
function readFileLine(file: OpenFile, line: string): number {
  const hunk = line.startsWith("@@ ") ? hunkHeader.exec(line) : null;
  if (hunk !== null) {
    // "Subproject commit <id>" is git's way to show a submodule, not a line of a file
    if (file.submodule) return Number(hunk[2] ?? 1) + Number(hunk[4] ?? 1);
    const [, oldStart, oldCount = "1", newStart, newCount = "1"] = hunk;
    const read = {
      oldStart: Number(oldStart),
      oldCount: Number(oldCount),
      newStart: Number(newStart),
      newCount: Number(newCount),
    };
    if (!file.binary) file.hunks.push(read);
    return read.oldCount + read.newCount;
  }
  if (/^(new file mode |deleted file mode |index .* )160000$/.test(line)) file.submodule = true;
  if (line.startsWith("new file mode ")) file.oldPath = undefined;
  else if (line.startsWith("deleted file mode ")) file.newPath = undefined;
  else if (line.startsWith("rename from ")) file.oldPath = unquotePath(line.slice(12)) as RepoPath;
  else if (line.startsWith("rename to ")) file.newPath = unquotePath(line.slice(10)) as RepoPath;
  else if (line.startsWith("Binary files ")) file.binary = true;
  return 0;
}

const hunkHeader = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/;

/**
 * The two paths of `diff --git a/x b/x`. Without a rename they are equal, which is what makes an unquoted name with
 * spaces readable; with one, the `rename` lines that follow replace both.
 */
function pathsOfHeader(line: string): Pick<OpenFile, "oldPath" | "newPath"> {
  const rest = line.slice("diff --git ".length);
  if (rest.startsWith('"')) {
    const end = /^"(?:[^"\\]|\\.)*"/.exec(rest)?.[0] ?? rest;
    const path = unquotePath(end).slice(2) as RepoPath;
    return { oldPath: path, newPath: path };
  }
  const path = rest.slice(2, (rest.length - 1) / 2) as RepoPath;
  return { oldPath: path, newPath: path };
}
