import { join } from "node:path";
import { keyframeVersion } from "../../base/version.ts";
import type { Oid } from "../../git/ids.ts";
import { mayHaveRefsBelow, type Repository } from "../../git/repository.ts";
import { indexDirectory, readIndexFile, writeIndexFile } from "../../state/index-directory.ts";
import type { Files } from "../../system/files/files.ts";
import { checkOf } from "./changes/change-index.ts";
import type { Tally } from "./tally.ts";

export interface CountedTally extends Tally {
  /** Commits of the range that have a note, whatever it says. */
  readonly noted: ReadonlySet<Oid>;
}

/*
 * <common dir>/keyframe-index/tallies/<digest of all that decides the numbers>: `<crc32> <version> <JSON>`. May be removed
 * at any time.
 */
const maxKept = 30;

/** Numbers of ranges that were counted before. */
export interface KeptTallies {
  read(name: string): CountedTally | undefined;
  write(name: string, tally: CountedTally): void;
}

export function openKeptTallies(repository: Repository, files: Files): KeptTallies {
  const directory = join(indexDirectory(repository), "tallies");
  // replaced objects change what stands behind an id
  const isOff = mayHaveRefsBelow(repository, "refs/replace", files);
  return {
    read(name) {
      const text = isOff ? undefined : readIndexFile(files, join(directory, name))?.toString("utf8");
      if (text === undefined || text.slice(0, 8) !== checkOf(text.slice(9))) return undefined;
      const [version, json] = [text.slice(9, text.indexOf(" ", 9)), text.slice(text.indexOf("{"))];
      return version === keyframeVersion ? decodeTally(JSON.parse(json) as TallyForm) : undefined;
    },
    write(name, tally) {
      if (isOff) return;
      const text = `${keyframeVersion} ${JSON.stringify(encodeTally(tally))}`;
      const path = join(directory, name);
      writeIndexFile(files, path, () => {
        removeOldest(files, directory);
        files.replaceWithoutSync(path, Buffer.from(`${checkOf(text)} ${text}`));
      });
    },
  };
}

/** Maps as lists of pairs. */
function encodeTally({ total, sessions, files, commits, humans, noted }: CountedTally) {
  return {
    total,
    sessions,
    files: [...files],
    commits: [...commits],
    humans: [...humans],
    noted: [...noted],
  };
}

type TallyForm = ReturnType<typeof encodeTally>;

function decodeTally(form: TallyForm): CountedTally {
  return {
    total: form.total,
    sessions: form.sessions,
    files: new Map(form.files),
    commits: new Map(form.commits),
    humans: new Map(form.humans),
    noted: new Set(form.noted),
  };
}

function removeOldest(files: Files, directory: string): void {
  const kept = (files.listIfExists(directory) ?? []).map(({ name }) => join(directory, name));
  if (kept.length < maxKept) return;
  const byAge = kept.map((path) => ({ path, at: files.statIfExists(path)?.mtimeMs ?? 0 }));
  byAge.sort((a, b) => a.at - b.at);
  for (const { path } of byAge.slice(0, kept.length - maxKept + 1)) files.remove(path);
}
