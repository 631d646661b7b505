import { sha256Hex } from "../../base/digest.ts";
import type { Git } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";
import type { ObjectReader } from "../../git/objects/objects.ts";
import type { Files } from "../../system/files/files.ts";
import { findCountedChanges } from "./counted-changes.ts";
import { createStatsCounter } from "./counter.ts";
import { compileIgnoredFiles } from "./ignored-files.ts";
import { type CountedTally, openKeptTallies } from "./kept-tallies.ts";
import type { StatsRange } from "./range.ts";

export interface StatsOptions {
  readonly range: StatsRange;
  /** Patterns of `--ignore`. */
  readonly ignore: readonly string[];
  readonly files: Files;
}

export interface Stats extends CountedTally {
  readonly range: StatsRange;
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
  const [gitAttributes, ignoreFile] = await Promise.all([
    readText(reader, `${end}:.gitattributes`),
    readText(reader, `${end}:.git-ai-ignore`),
  ]);
  const changes = await findCountedChanges({ git, reader, files }, commits);
  const kept = openKeptTallies(git.repository, files);
  const name = sha256Hex(JSON.stringify([end, changes.key, gitAttributes ?? 0, ignoreFile ?? 0, ignore]));
  const known = commits.length < minKept ? undefined : kept.read(name);
  if (known !== undefined) return { ...known, range };
  const isIgnored = compileIgnoredFiles({ gitAttributes, ignoreFile, patterns: ignore });
  const counter = createStatsCounter({ commits, end, isIgnored });
  const noted = new Set<Oid>();
  let isPlain = true;
  for await (const read of changes.read()) {
    counter.add(read.change);
    isPlain &&= read.isPlain;
    if (read.change.claims !== undefined) noted.add(read.change.commit.commit);
  }
  const counted = { ...counter.finish(), noted };
  if (isPlain && commits.length >= minKept) kept.write(name, counted);
  return { ...counted, range };
}

/** Fewer commits are counted as quickly as they are looked up. */
const minKept = 20;

async function readText(reader: ObjectReader, name: string): Promise<string | undefined> {
  const object = await reader.read(name);
  return object?.type === "blob" ? object.content.toString("utf8") : undefined;
}
