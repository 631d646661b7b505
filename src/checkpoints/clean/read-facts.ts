import { join } from "node:path";
import type { Git } from "../../git/git.ts";
import { isOid, type Oid } from "../../git/ids.ts";
import { type FetchedPack, listFetchedPacks } from "../../git/remote/fetched-packs.ts";
import { hasTransfers, listStaleQuarantines } from "../../git/remote/quarantine.ts";
import type { Repository } from "../../git/repository.ts";
import { listWorktrees } from "../../git/worktree/worktrees.ts";
import { type Files, temporaryName } from "../../system/files/files.ts";
import type { ProcessTable } from "../../system/process/process-table.ts";
import { listSearchFolders } from "../query/search/search-index.ts";
import {
  readRewindRecord,
  rewindFolder,
  rewindRecordPath,
  safetyRef,
  safetyRefPrefix,
} from "../rewind/rewind-record.ts";
import { sessionsFolder } from "../sessions/directory.ts";
import { readSessionLeftovers, type SessionLeftovers } from "./session-leftovers.ts";
import { type KeptOwners, listKeptOwners } from "./unused-owners.ts";

export interface CleanDeps {
  readonly files: Files;
  readonly processTable: ProcessTable;
}

export interface CleanFacts {
  readonly refs: readonly CleanRef[];
  readonly sessions: readonly SessionLeftovers[];
  readonly rewinds: readonly RewindFacts[];
  readonly searchFolders: readonly string[];
  readonly crashReports: readonly string[];
  /** Their writers are gone. */
  readonly temporaryFiles: readonly string[];
  readonly staleQuarantines: readonly string[];
  /** Transfers of processes that live, or have died, and are not cleaned up behind. */
  readonly hasTransfers: boolean;
  readonly fetchedPacks: readonly FetchedPack[];
  readonly keptOwners: readonly KeptOwners[];
}

export interface CleanRef {
  readonly ref: string;
  readonly oid: Oid;
  readonly atMs: number;
  /** The session that the commit's trailer names. */
  readonly sessionId: string | undefined;
}

/** What one worktree keeps of its rewinds. */
export interface RewindFacts {
  readonly of: Repository;
  readonly safetyRef: string;
  readonly recordPath: string;
  /** Undefined if no rewind can be taken back. */
  readonly record: { readonly seenMs: number; readonly isDone: boolean } | undefined;
  /** Copies of conversations that the record does not name. */
  readonly strayBackups: readonly { readonly path: string; readonly atMs: number }[];
}

/** Reads only. */
export async function readCleanFacts(git: Git, deps: CleanDeps): Promise<CleanFacts> {
  const { files } = deps;
  const { repository } = git;
  const { commonDir } = repository;
  const places = listWorktrees(repository, files);
  const roots = [...places.map(({ gitDir }) => join(gitDir, "keyframe")), sessionsFolder(repository)];
  return {
    refs: await listRefs(git),
    sessions: await readSessionLeftovers(git, files),
    rewinds: places.map((place) => readRewindFacts(place, files)),
    searchFolders: listSearchFolders(files, commonDir),
    crashReports: places.flatMap(({ gitDir }) =>
      (files.listIfExists(gitDir) ?? [])
        .filter(({ name }) => /^fast_import_crash_\d+$/.test(name))
        .map(({ name }) => join(gitDir, name)),
    ),
    temporaryFiles: roots.flatMap((root) => [...abandonedFiles(root, deps)]),
    staleQuarantines: listStaleQuarantines(git, deps),
    hasTransfers: hasTransfers(git, files),
    fetchedPacks: listFetchedPacks(git, files),
    keptOwners: await listKeptOwners(git, files),
  };
}

async function listRefs(git: Git): Promise<CleanRef[]> {
  const listing = await git.text([
    "for-each-ref",
    "--format=%(objectname) %(refname) %(committerdate:unix) %(contents:trailers:key=Entire-Session,valueonly,separator=%x2C)",
    "refs/heads/entire/",
    "refs/entire-fetch-tmp/",
    "refs/keyframe/scratch/",
    safetyRefPrefix,
  ]);
  return listing.split("\n").flatMap((line) => {
    const [oid = "", ref = "", seconds = "", session = ""] = line.split(" ");
    if (!isOid(oid)) return [];
    return [{ ref, oid, atMs: Number(seconds) * 1000, sessionId: session === "" ? undefined : session }];
  });
}

function readRewindFacts(of: Repository, files: Files): RewindFacts {
  const recordPath = rewindRecordPath(of);
  const record = readRewindRecord(of, files);
  const seenMs = files.statIfExists(recordPath)?.mtimeMs;
  const named = new Set(record?.backups.map(({ backup }) => backup));
  const folder = rewindFolder(of);
  return {
    of,
    safetyRef: safetyRef(of),
    recordPath,
    record:
      record === undefined || seenMs === undefined ? undefined : { seenMs, isDone: record.state === "done" },
    strayBackups: (files.listIfExists(folder) ?? [])
      .map(({ name }) => join(folder, name))
      .filter((path) => path.endsWith(".jsonl") && !named.has(path))
      .map((path) => ({ path, atMs: files.statIfExists(path)?.mtimeMs ?? Number.POSITIVE_INFINITY })),
  };
}

function* abandonedFiles(folder: string, deps: CleanDeps): Generator<string> {
  for (const { name, kind } of deps.files.listIfExists(folder) ?? []) {
    const path = join(folder, name);
    // a transfer's directory is one item
    if (kind === "folder" && name !== "incoming") yield* abandonedFiles(path, deps);
    const writer = kind === "file" ? temporaryName.exec(name)?.[1] : undefined;
    if (writer !== undefined && deps.processTable.identify(Number(writer)) === undefined) yield path;
  }
}
