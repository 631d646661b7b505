import { join } from "node:path";
import type { Repository } from "../../git/repository.ts";
import { encodeRecordLine, parseRecordLine } from "../../journal/record-line.ts";
import type { Files } from "../../system/files/files.ts";
import { isForkName } from "../fork-name.ts";

/** A conversation of a fork, and the one that it continues. */
export interface ForkedSession {
  readonly tool: string;
  /** Id of the copy. */
  readonly session: string;
  /** Id of the conversation it was copied from. */
  readonly parent: string;
  readonly transcriptPath: string;
  /** Of the copy when it was made: one that has grown since is the user's. */
  readonly sizeBytes: number;
  /** True where the copy is the redacted one. */
  readonly redacted: boolean;
}

/** What is known of a fork, written before anything is made so that one that was cut off can be removed. */
export interface ForkRecord {
  readonly version: 1;
  readonly name: string;
  readonly state: "begun" | "done";
  /** Id of the moment that it began from. */
  readonly moment: string;
  readonly title: string;
  /** ISO 8601. */
  readonly at: string;
  readonly path: string;
  /** `refs/heads/...` */
  readonly branch: string;
  readonly sessions: readonly ForkedSession[];
}

export function readFork(repository: Repository, files: Files, name: string): ForkRecord | undefined {
  return isForkName(name) ? readRecord(files, forkPath(repository, name)) : undefined;
}

/** All forks of a repository, the newest first. */
export function listForks(repository: Repository, files: Files): ForkRecord[] {
  return (files.listIfExists(forksDirectory(repository)) ?? [])
    .filter(({ name }) => name.endsWith(".json"))
    .flatMap(({ name }) => readRecord(files, join(forksDirectory(repository), name)) ?? [])
    .sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : a.name < b.name ? -1 : 1));
}

/** `wanted`, or `wanted-2`, `wanted-3`, ... where that is taken. */
export function freeForkName(repository: Repository, files: Files, wanted: string): string {
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? wanted : `${wanted}-${number}`;
    if (files.statIfExists(forkPath(repository, name)) === undefined) return name;
  }
}

export function writeFork(repository: Repository, files: Files, record: ForkRecord): void {
  files.makeFolder(forksDirectory(repository));
  files.replace(forkPath(repository, record.name), encodeRecordLine(record), { mode: 0o600 });
}

export function removeForkRecord(repository: Repository, files: Files, name: string): void {
  files.remove(forkPath(repository, name));
  files.remove(forkLogPath(repository, name));
}

/** What the agent of a fork printed that was given a prompt. */
export function forkLogPath(repository: Repository, name: string): string {
  return join(forksDirectory(repository), `${name}.log`);
}

function readRecord(files: Files, path: string): ForkRecord | undefined {
  const bytes = files.readIfExists(path);
  const record = bytes === undefined ? undefined : parseRecordLine(bytes);
  // the sum has been checked: the record is as writeFork wrote it
  return record?.["version"] === 1 ? (record as unknown as ForkRecord) : undefined;
}

function forksDirectory({ commonDir }: Repository): string {
  return join(commonDir, "keyframe", "forks");
}

function forkPath(repository: Repository, name: string): string {
  return join(forksDirectory(repository), `${name}.json`);
}
