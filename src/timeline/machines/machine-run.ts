import { join } from "node:path";
import type { Repository } from "../../git/repository.ts";
import { encodeRecordLine, parseRecordLine } from "../../journal/record-line.ts";
import type { Files } from "../../system/files/files.ts";
import { isForkName } from "../fork-name.ts";

/** A machine that a moment had, as its run recorded it. */
export interface RunMoment {
  /** The snapshot commit of the turn; the mark's where the run began. */
  readonly commit: string;
  /** The machine's snapshot; absent where none was taken, or it was let go. */
  readonly snapshot?: string;
  /** ISO 8601. */
  readonly at: string;
  /** What the snapshot takes on the disk. */
  readonly sizeBytes?: number;
}

/** An agent that works in a machine: what is known of it, for the timeline and for bringing out what it does. */
export interface MachineRun {
  readonly version: 1;
  readonly name: string;
  /** Id of the sandbox. */
  readonly sandbox: string;
  readonly image: string;
  /** Where the repository is in the guest. */
  readonly directory: string;
  /** The branch there. */
  readonly branch: string;
  /** Where HEAD was. */
  readonly base: string;
  /** Who is credited: the agent's name. */
  readonly tool: string;
  readonly at: string;
  readonly moments: readonly RunMoment[];
  /** False until the working copy and Keyframe are in the machine: one that was cut off before is made anew. */
  readonly ready?: false;
}

/** Everything that came out of a run is below this. */
export function runRefs(name: string): string {
  return `refs/keyframe/runs/${name}/`;
}

export function readMachineRun(repository: Repository, files: Files, name: string): MachineRun | undefined {
  return isForkName(name) ? parse(files, runPath(repository, name)) : undefined;
}

/** All of a repository, the newest first. */
export function listMachineRuns(repository: Repository, files: Files): MachineRun[] {
  return (files.listIfExists(runsDirectory(repository)) ?? [])
    .filter(({ name }) => name.endsWith(".json"))
    .flatMap(({ name }) => parse(files, join(runsDirectory(repository), name)) ?? [])
    .sort((a, b) => (a.at < b.at ? 1 : -1));
}

export function writeMachineRun(repository: Repository, files: Files, run: MachineRun): void {
  files.makeFolder(runsDirectory(repository));
  files.replace(runPath(repository, run.name), encodeRecordLine(run), { mode: 0o600 });
}

/** Forgets a run with the conversations that came out of it. */
export function removeMachineRun(repository: Repository, files: Files, name: string): void {
  if (!isForkName(name)) return;
  files.removeTree(runFilesDirectory(repository, name));
  files.remove(runPath(repository, name));
}

/** `wanted`, or `wanted-2`, ... where that is taken. */
export function freeRunName(repository: Repository, files: Files, wanted: string): string {
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? wanted : `${wanted}-${number}`;
    if (files.statIfExists(runPath(repository, name)) === undefined) return name;
  }
}

/** Where the conversation of a run is kept, as it came out of the machine. */
export function runConversation(repository: Repository, name: string, session: string): string {
  return join(runFilesDirectory(repository, name), `${session}.jsonl`);
}

/** What came out of a run beside git: conversations. */
export function runFilesDirectory(repository: Repository, name: string): string {
  return join(runsDirectory(repository), name);
}

function parse(files: Files, path: string): MachineRun | undefined {
  const bytes = files.readIfExists(path);
  const record = bytes === undefined ? undefined : parseRecordLine(bytes);
  // the sum has been checked: the record is as writeMachineRun wrote it
  return record?.["version"] === 1 ? (record as unknown as MachineRun) : undefined;
}

function runsDirectory({ commonDir }: Repository): string {
  return join(commonDir, "keyframe", "runs");
}

function runPath(repository: Repository, name: string): string {
  return join(runsDirectory(repository), `${name}.json`);
}
