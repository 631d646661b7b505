import type { JsonObject } from "../../base/json.ts";
import type { Git } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";
import { fixedLineChoice } from "../../git/objects/line-choice.ts";
import type { ObjectReader } from "../../git/objects/objects.ts";
import { parseBlamePorcelain } from "../blame/porcelain.ts";
import type { LineRange, OwnerRun, OwnerRuns } from "../rules/owner-runs.ts";
import { keyAtLine } from "../rules/owner-runs.ts";
import type { NoteBook } from "./note-book.ts";

/** A file as a commit holds it, with the owners of all its lines, wherever they were written. */
export interface OwnedVersion {
  readonly content: Buffer;
  readonly runs: OwnerRuns;
  /** Lines that were written by a commit which is asked about itself: this version knows nothing of them. */
  readonly unknown: readonly LineRange[];
  /** Of the notes that the owners come from. */
  readonly metadata: readonly JsonObject[];
}

export interface VersionLimits {
  /** The commit that is asked about: what it wrote itself came from nowhere in this version. */
  readonly self: Oid;
  /** Commits that are still to be asked about: who wrote a line of theirs without an owner may yet be found. */
  readonly unanswered: ReadonlySet<Oid>;
  /** What was written after this can have been no source; Unix seconds. */
  readonly notAfterSeconds: number;
}

export interface OwnedVersionDeps {
  readonly git: Git;
  readonly reader: ObjectReader;
  readonly book: NoteBook;
}

/** Reads owners by `git blame` and the notes of the commits that it names; undefined if there is no such file. */
export async function readOwnedVersion(
  { git, reader, book }: OwnedVersionDeps,
  { commit, path }: { readonly commit: string; readonly path: string },
  limits: VersionLimits,
): Promise<OwnedVersion | undefined> {
  const { self, unanswered, notAfterSeconds } = limits;
  const blob = await reader.read(`${commit}:${path}`);
  if (blob?.type !== "blob") return undefined;
  const args = [
    ...fixedLineChoice,
    "-c",
    "blame.ignoreRevsFile=",
    "blame",
    "--porcelain",
    commit,
    "--",
    path,
  ];
  const result = await git.run(args, { okCodes: [0, 128], timeoutMs: blameTimeoutMs });
  if (result.code !== 0) return undefined;
  const lines = parseBlamePorcelain(result.stdout);
  await book.load(lines.map((line) => line.commit));
  const runs: OwnerRun[] = [];
  const unknown: LineRange[] = [];
  const writers = new Set<Oid>();
  for (const line of lines) {
    const range = { first: line.finalLine, last: line.finalLine };
    const isLater = line.commit === self || Number(line.details.get("author-time")) > notAfterSeconds;
    const key = isLater ? undefined : keyAtLine(book.runsOf(line.commit, line.path), line.line);
    if (isLater || (key === undefined && unanswered.has(line.commit))) unknown.push(range);
    if (key === undefined) continue;
    runs.push({ ...range, key });
    writers.add(line.commit);
  }
  const metadata = [...writers]
    .map((writer) => book.metadataOf(writer))
    .filter((found) => found !== undefined);
  return { content: blob.content, runs, unknown, metadata };
}

const blameTimeoutMs = 10_000;
