import { openOwnerLookup } from "../../authorship/blame/owner-lookup.ts";
import { openNoteSource } from "../../authorship/note/note-source.ts";
import { KeyframeError } from "../../base/errors.ts";
import type { Oid } from "../../git/ids.ts";
import { openObjectReader } from "../../git/objects/objects.ts";
import { mustResolveCommit } from "../../git/refs/refs.ts";
import type { AskContext } from "./ask-context.ts";
import type { KnownOwner } from "./file-owners.ts";

/** A line of a diff. `old` and `next` are 1-based line numbers; absent on the side that does not have the line. */
export interface DiffRow {
  readonly old?: number;
  readonly next?: number;
  readonly text: string;
  /** Place in `owners`, of an added line that somebody owns. */
  readonly owner?: number;
}

export interface ChangedFileRows {
  readonly path: string;
  readonly oldPath?: string;
  readonly isBinary: boolean;
  /** Rows by hunk, context included. */
  readonly hunks: readonly (readonly DiffRow[])[];
}

export interface CommitChanges {
  readonly commit: Oid;
  readonly subject: string;
  readonly author: string;
  /** ISO 8601. */
  readonly at: string;
  readonly files: readonly ChangedFileRows[];
  readonly owners: readonly KnownOwner[];
  /** True where the diff was too large and only its beginning is here. */
  readonly isCut: boolean;
}

const maxPatchBytes = 8 * 1024 * 1024;

/** What a commit changed against its first parent, with the owners of the added lines. @throws KeyframeError `not-found` */
export async function readCommitChanges(
  { git, files }: AskContext,
  revision: string,
): Promise<CommitChanges> {
  if (revision.startsWith("-")) throw new KeyframeError("usage", `not a revision: ${revision}`);
  const commit = await mustResolveCommit(git, revision);
  const head = await git.text(["show", "-s", "--no-show-signature", "--format=%s%x00%an%x00%cI", commit]);
  const [subject = "", author = "", at = ""] = head.split("\0");
  const args = [
    "-c",
    "core.quotePath=false",
    "diff-tree",
    "-p",
    "-U3",
    "-M",
    "--root",
    "--no-commit-id",
    "--first-parent",
    "-m",
  ];
  const { stdout } = await git.run([
    ...args,
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    commit,
  ]);
  const isCut = stdout.length > maxPatchBytes;
  const parsed = parsePatch(stdout.toString("utf8", 0, maxPatchBytes));
  const reader = openObjectReader(git);
  try {
    const lookup = openOwnerLookup(openNoteSource(git, reader, files));
    await lookup.load([commit]);
    const owners: KnownOwner[] = [];
    const places = new Map<string, number>();
    const placeOf = (path: string, line: number) => {
      const owned = lookup.ownerOf({ commit, path, line });
      if (owned === undefined) return undefined;
      const { owner } = owned;
      const known: KnownOwner =
        owner.kind === "human"
          ? { kind: "human", name: owner.identity }
          : { kind: "agent", name: `${owner.agent.tool} ${owner.agent.model}`, session: owner.agent.id };
      const key = JSON.stringify(known);
      const place = places.get(key) ?? owners.push(known) - 1;
      places.set(key, place);
      return place;
    };
    const withOwners = parsed.map((file) => ({
      ...file,
      hunks: file.hunks.map((rows) =>
        rows.map((row) => {
          const owner =
            row.next !== undefined && row.old === undefined ? placeOf(file.path, row.next) : undefined;
          return owner === undefined ? row : { ...row, owner };
        }),
      ),
    }));
    return { commit, subject, author, at, files: withOwners, owners, isCut };
  } finally {
    await reader.close();
  }
}

interface OpenFile {
  path: string;
  oldPath?: string;
  isBinary: boolean;
  readonly hunks: DiffRow[][];
}

function parsePatch(text: string): OpenFile[] {
  const files: OpenFile[] = [];
  let old = 0;
  let next = 0;
  let rows: DiffRow[] | undefined;
  for (const line of text.split("\n")) {
    if (line.startsWith("diff --git ")) {
      files.push({ path: /^diff --git a\/.* b\/(.*)$/.exec(line)?.[1] ?? "", isBinary: false, hunks: [] });
      rows = undefined;
      continue;
    }
    const file = files.at(-1);
    if (file === undefined) continue;
    const hunk = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@/.exec(line);
    if (hunk !== null) {
      [old, next] = [Number(hunk[1]), Number(hunk[2])];
      rows = [];
      file.hunks.push(rows);
    } else if (rows === undefined) readHeader(file, line);
    else if (line.startsWith("+")) rows.push({ next: next++, text: line.slice(1) });
    else if (line.startsWith("-")) rows.push({ old: old++, text: line.slice(1) });
    else if (line.startsWith(" ")) rows.push({ old: old++, next: next++, text: line.slice(1) });
  }
  return files;
}

function readHeader(file: OpenFile, line: string): void {
  if (line.startsWith("+++ b/")) file.path = line.slice(6).replace(/\t$/, "");
  else if (line.startsWith("--- a/") && file.path === "") file.path = line.slice(6).replace(/\t$/, "");
  else if (line.startsWith("rename from ")) file.oldPath = line.slice(12);
  else if (line.startsWith("rename to ")) file.path = line.slice(10);
  else if (line.startsWith("Binary files ")) file.isBinary = true;
}
