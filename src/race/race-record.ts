import { join } from "node:path";
import type { Oid } from "../git/ids.ts";
import type { Repository } from "../git/repository.ts";
import { encodeRecordLine, parseRecordLine } from "../journal/record-line.ts";
import type { Files } from "../system/files/files.ts";
import type { ProcessIdentity } from "../system/process/process-table.ts";
import type { TranscriptTokens } from "../transcripts/scan/transcript-facts.ts";
import type { CheckResult, CheckSpec } from "./checks/check.ts";
import type { LaneSpec } from "./lane-spec.ts";

/** What all lanes begin from: the working copy when the race was started. */
export interface RaceBase {
  /** Where HEAD was. */
  readonly head: Oid;
  /** The branch that a winner is adopted to; absent where HEAD was detached. */
  readonly branch?: string;
  /** A commit on top of HEAD with the files as they were, untracked ones included. */
  readonly commit: Oid;
  readonly tree: Oid;
  /** The tree of the index as it was. */
  readonly indexTree: Oid;
  /** Names the owners that were pending (checkpoints/capture/moment-owners.ts). */
  readonly owners: string;
}

/** What a lane may use; absent is without end. Time is limited by the process that runs the command. */
export interface LaneLimits {
  /** Of all its conversations, cached ones included. */
  readonly tokens?: number;
  /** Answers of the model. */
  readonly turns?: number;
  readonly processes?: number;
  /** What it has written, bytes. */
  readonly diskBytes?: number;
}

/** Written once, when a race is started. */
export interface RaceRecord {
  readonly version: 1;
  readonly id: string;
  /** ISO 8601. */
  readonly at: string;
  readonly prompt: string;
  /** One line for commits, redacted; absent in what earlier versions wrote. */
  readonly title?: string;
  readonly base: RaceBase;
  readonly lanes: readonly LaneSpec[];
  readonly checks: readonly CheckSpec[];
  readonly setup?: string;
  /** For one lane's command, milliseconds. */
  readonly limitMs: number;
  readonly limits?: LaneLimits;
  readonly parallel: number;
  /** Where the lanes' worktrees are. */
  readonly directory: string;
  /** Lanes work in machines of their own; absent: in worktrees. */
  readonly machines?: RaceMachines;
}

export interface RaceMachines {
  /** An image or a snapshot. */
  readonly image: string;
  /** What they may reach beside the model. */
  readonly allow: readonly string[];
  /** A snapshot has its own. */
  readonly memoryMiB?: number;
  readonly cpus?: number;
}

export type LaneState =
  | "waiting"
  | "preparing"
  | "running"
  | "checking"
  /** Its command ended by itself; the checks say what it is worth. */
  | "done"
  | "timed-out"
  /** It used more than it may: `problem` says of what. */
  | "over-limit"
  | "stopped"
  /** It could not be prepared or recorded. */
  | "broken";

const ended: ReadonlySet<LaneState> = new Set(["done", "timed-out", "over-limit", "stopped", "broken"]);

export function hasEnded({ state }: Pick<LaneStatus, "state">): boolean {
  return ended.has(state);
}

export interface DiffFacts {
  readonly files: readonly string[];
  readonly added: number;
  readonly removed: number;
}

/** How a lane stands; written by the process that runs the race. */
export interface LaneStatus {
  readonly version: 1;
  readonly name: string;
  readonly state: LaneState;
  /** The worktree; absent once it was removed. */
  readonly path?: string;
  /** How it got its files (lanes/base-files.ts); absent in what earlier versions wrote. */
  readonly filesBy?: "overlay" | "reflink" | "checkout" | "machine";
  /** The lane's newest commit; absent where nothing was changed. */
  readonly commit?: Oid;
  readonly startedAt?: string;
  readonly durationMs?: number;
  readonly exitCode?: number;
  /** The process that holds the lane's command together. */
  readonly process?: ProcessIdentity;
  /** What its output asks, where it seems to wait for somebody. */
  readonly waitsFor?: string;
  readonly checks: readonly CheckResult[];
  readonly diff?: DiffFacts;
  readonly sessions?: readonly {
    readonly tool: string;
    readonly id: string;
    readonly tokens: number;
    /** The same by class, and how often the model answered; absent in what earlier versions wrote. */
    readonly byClass?: TranscriptTokens;
    /** Prompts. */
    readonly turns: number;
  }[];
  readonly observedLines?: number;
  readonly unknownLines?: number;
  readonly problem?: string;
}

/** Written before a winner is adopted, so that an adoption that was cut off can be undone. */
export interface Adoption {
  readonly version: 1;
  readonly lane: string;
  readonly state: "begun" | "done" | "undone";
  readonly branch: string;
  readonly before: Oid;
  readonly after: Oid;
  /** The snapshot that undo brings the files back to. */
  readonly safety: Oid;
  /** Bytes of the index before, base64; null where there was none. */
  readonly index: string | null;
  readonly commits: readonly { readonly from: Oid; readonly to: Oid }[];
  /** The one before, where parts of several lanes were adopted: it counts again when this one is undone. */
  readonly earlier?: Adoption;
}

/** The lanes that a race's branch holds all or a part of, the last adopted first. */
export function adoptedLanes(adoption: Adoption | undefined): readonly string[] {
  if (adoption === undefined) return [];
  const earlier = adoptedLanes(adoption.earlier);
  return adoption.state === "done" ? [...new Set([adoption.lane, ...earlier])] : earlier;
}

export function racesDirectory({ commonDir }: Repository): string {
  return join(commonDir, "keyframe", "races");
}

export function raceDirectory(repository: Repository, id: string): string {
  return join(racesDirectory(repository), id);
}

export function raceRef(id: string, lane: string): string {
  return `refs/keyframe/race/${id}/${lane}`;
}

export function laneLogPath(repository: Repository, id: string, lane: string): string {
  return join(raceDirectory(repository, id), `${lane}.log`);
}

/** By which everything is known that a lane has started. */
export function laneMarker(id: string, lane: string): string {
  return `${id}-${lane}`;
}

/** The first line of a message that says what a race was for. */
export function titleOfRace({ title }: Pick<RaceRecord, "title">): string {
  return title ?? "Work of a race";
}

/** Newest first. */
export function listRaces(repository: Repository, files: Files): RaceRecord[] {
  return (files.listIfExists(racesDirectory(repository)) ?? [])
    .flatMap(({ name }) => readRace(repository, files, name) ?? [])
    .sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0));
}

export function readRace(repository: Repository, files: Files, id: string): RaceRecord | undefined {
  return isRaceId(id) ? read<RaceRecord>(files, join(raceDirectory(repository, id), "race.json")) : undefined;
}

export function writeRace(repository: Repository, files: Files, race: RaceRecord): void {
  write(files, raceDirectory(repository, race.id), { name: "race.json", value: race });
}

/** The base's checks stand under the name `base`. */
export function readLane(
  repository: Repository,
  files: Files,
  { id, name }: { readonly id: string; readonly name: string },
): LaneStatus {
  const path = join(raceDirectory(repository, id), "lanes", `${name}.json`);
  return read<LaneStatus>(files, path) ?? { version: 1, name, state: "waiting", checks: [] };
}

export function writeLane(
  repository: Repository,
  files: Files,
  { id, lane }: { readonly id: string; readonly lane: LaneStatus },
): void {
  write(files, join(raceDirectory(repository, id), "lanes"), { name: `${lane.name}.json`, value: lane });
}

export function readAdoption(repository: Repository, files: Files, id: string): Adoption | undefined {
  return read<Adoption>(files, join(raceDirectory(repository, id), "adoption.json"));
}

export function writeAdoption(
  repository: Repository,
  files: Files,
  { id, adoption }: { readonly id: string; readonly adoption: Adoption },
): void {
  write(files, raceDirectory(repository, id), { name: "adoption.json", value: adoption });
}

function isRaceId(id: string): boolean {
  return /^[0-9a-f]{8}$/.test(id);
}

function read<T extends { readonly version: 1 }>(files: Files, path: string): T | undefined {
  const bytes = files.readIfExists(path);
  const record = bytes === undefined ? undefined : parseRecordLine(bytes);
  // the sum has been checked: the record is as it was written
  return record?.["version"] === 1 ? (record as unknown as T) : undefined;
}

function write(
  files: Files,
  directory: string,
  { name, value }: { readonly name: string; readonly value: object },
): void {
  files.makeFolder(directory, { mode: 0o700 });
  files.replace(join(directory, name), encodeRecordLine(value), { mode: 0o600 });
}
