import { must } from "../../base/assert.ts";
import type { Git } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";
import type { CommitPatch, FilePatch } from "../../git/objects/file-patch.ts";
import type { ObjectReader } from "../../git/objects/objects.ts";
import { type ParentPair, readParentPatches } from "../../git/objects/patch.ts";
import type { Files } from "../../system/files/files.ts";
import { type NoteSource, openNoteSource, readAuthorshipLogs } from "../note/note-source.ts";
import type { ListedCommit } from "./commit-list.ts";
import { type CommitChange, createStatsCounter } from "./counter.ts";
import { compileIgnoredFiles } from "./ignored-files.ts";
import type { StatsRange } from "./range.ts";
import type { Tally } from "./tally.ts";

export interface StatsOptions {
  readonly range: StatsRange;
  /** Patterns of `--ignore`. */
  readonly ignore: readonly string[];
  readonly files: Files;
}

export interface Stats extends Tally {
  readonly range: StatsRange;
  /** Commits of the range that have a note, whatever it says. */
  readonly noted: ReadonlySet<Oid>;
}

/**
 * Counts the lines of a range by owner: one listing of commits, one of notes, one stream of changes. docs/stats.md says
 * what each number means.
 */
export async function computeStats(
  git: Git,
  reader: ObjectReader,
  { range, ignore, files }: StatsOptions,
): Promise<Stats> {
  const { commits, end } = range;
  const source = openNoteSource(git, reader, files);
  const [gitAttributes, ignoreFile] = await Promise.all([
    readText(reader, `${end}:.gitattributes`),
    readText(reader, `${end}:.git-ai-ignore`),
  ]);
  const isIgnored = compileIgnoredFiles({ gitAttributes, ignoreFile, patterns: ignore });
  const counter = createStatsCounter({ commits, end, isIgnored });
  const noted = new Set<Oid>();
  for await (const { commit, patches, log } of withLogs(source, commits, patchesByCommit(git, commits))) {
    counter.add({ commit, patches, log });
    if (log !== undefined) noted.add(commit.commit);
  }
  return { ...counter.finish(), range, noted };
}

/** Notes that are held at once: some are megabytes of transcript. */
const noteBatch = 200;

/** Adds the notes, read in batches, to a stream of changes in the order of `commits`. */
export async function* withLogs(
  source: NoteSource,
  commits: readonly ListedCommit[],
  changes: AsyncIterable<Omit<CommitChange, "log">>,
): AsyncGenerator<CommitChange> {
  let logs: Awaited<ReturnType<typeof readAuthorshipLogs>> = new Map();
  let index = 0;
  for await (const change of changes) {
    if (index % noteBatch === 0) {
      const batch = commits.slice(index, index + noteBatch);
      logs = await readAuthorshipLogs(
        source,
        batch.map(({ commit }) => commit),
      );
    }
    index += 1;
    yield { ...change, log: logs.get(change.commit.commit)?.log };
  }
}

/** Each commit with its changes against every parent; one empty list of parents is a root commit. */
export async function* patchesByCommit(
  git: Git,
  commits: readonly ListedCommit[],
): AsyncGenerator<Omit<CommitChange, "log">> {
  const pairs = commits.flatMap(({ commit, parents }): ParentPair[] =>
    parents.length === 0 ? [{ commit, parent: undefined }] : parents.map((parent) => ({ commit, parent })),
  );
  let index = 0;
  let patches: (readonly FilePatch[])[] = [];
  for await (const patch of readParentPatches(git, pairs)) {
    const commit = must(commits[index], "a change belongs to a commit of the range");
    patches.push(checked(patch, commit.commit).files);
    if (patches.length < commit.parents.length) continue;
    yield { commit, patches };
    patches = [];
    index += 1;
  }
}

function checked(patch: CommitPatch, commit: Oid): CommitPatch {
  return must(patch.commit === commit ? patch : undefined, "changes come in the order they were asked for");
}

async function readText(reader: ObjectReader, name: string): Promise<string | undefined> {
  const object = await reader.read(name);
  return object?.type === "blob" ? object.content.toString("utf8") : undefined;
}
