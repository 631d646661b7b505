import type { Oid } from "../../git/ids.ts";
import type { CheckpointId } from "./ids.ts";
import type { SessionPaths } from "./metadata.ts";

export type StoreKind = "v1" | "v2" | "refs";

/**
 * Where a checkpoint's bytes are, known from trees alone: nothing has been read, and a named object may be absent from
 * this machine.
 */
export interface CheckpointTree {
  readonly id: CheckpointId;
  readonly store: StoreKind;
  /** The ref it was found on; `origin:refs/...` for one that was fetched and is on no ref here. */
  readonly ref: string;
  /** By path below the checkpoint's folder: `metadata.json`, `0/full.jsonl`, `tasks/...`. */
  readonly files: ReadonlyMap<string, Oid>;
}

/** True for the place of a tree that was fetched and is on no ref of this repository: it has no history here. */
export function isFetchedPlace({ ref }: CheckpointTree): boolean {
  return !ref.startsWith("refs/");
}

/** The files of one session. */
export interface SessionFiles {
  /** Directory number; -1 for the oldest layout, which had the files of its one session beside the root metadata. */
  readonly index: number;
  readonly metadata: Oid | undefined;
  /** In order; joined by "\n" they are the transcript. */
  readonly transcript: readonly Oid[];
  /** Chunk numbers (the first 10,000) that the tree lacks between its chunks: the transcript cannot be whole. */
  readonly missingChunks: readonly number[];
  readonly compact: Oid | undefined;
  readonly prompt: Oid | undefined;
  readonly contentHash: Oid | undefined;
  readonly compactHash: Oid | undefined;
  readonly context: Oid | undefined;
  /** Everything else in the directory, by name: kept on rewrite. */
  readonly others: ReadonlyMap<string, Oid>;
}

const transcriptNames = ["full.jsonl", "raw_transcript", "full.log"];
// a writer's left-over temporary file is not a chunk: the suffix is digits and nothing else
const chunkName = /^(full\.jsonl|raw_transcript|full\.log)\.(\d{3,6})$/;

/** The sessions of a checkpoint: those its root metadata names, in that order, then directories it does not name. */
export function sessionsOf(tree: CheckpointTree, named: readonly SessionPaths[] = []): SessionFiles[] {
  const folders = new Map<number, Map<string, Oid>>();
  for (const [path, oid] of tree.files) {
    const match = /^(\d{1,6})\/(.+)$/.exec(path);
    if (match?.[1] === undefined || match[2] === undefined) continue;
    const index = Number(match[1]);
    const folder = folders.get(index) ?? new Map<string, Oid>();
    folders.set(index, folder.set(match[2], oid));
  }
  const sessions = new Map<number, SessionFiles>();
  for (const paths of named) {
    const index = indexOf(paths);
    if (index === undefined || sessions.has(index)) continue;
    const folder = folders.get(index);
    if (folder !== undefined) sessions.set(index, describeFolder(index, folder));
  }
  for (const index of [...folders.keys()].sort((a, b) => a - b)) {
    const folder = folders.get(index);
    if (folder !== undefined && !sessions.has(index)) sessions.set(index, describeFolder(index, folder));
  }
  if (sessions.size > 0) return [...sessions.values()];
  const flat = new Map([...tree.files].filter(([path]) => !path.includes("/")));
  const oldest = describeFolder(-1, flat);
  return oldest.transcript.length > 0 || oldest.prompt !== undefined ? [oldest] : [];
}

/** The directory number that any of a session's stored paths ends in. */
function indexOf(paths: SessionPaths): number | undefined {
  for (const path of [paths.metadata, paths.transcript, paths.prompt, paths.contentHash, paths.compact]) {
    const match = /(?:^|\/)(\d{1,6})\/[^/]+$/.exec(path ?? "");
    if (match?.[1] !== undefined) return Number(match[1]);
  }
  return undefined;
}

function describeFolder(index: number, folder: ReadonlyMap<string, Oid>): SessionFiles {
  const others = new Map(folder);
  const take = (...names: readonly string[]): Oid | undefined => {
    for (const name of names) {
      const oid = others.get(name);
      if (oid === undefined) continue;
      others.delete(name);
      return oid;
    }
    return undefined;
  };
  const base = transcriptNames.find((name) => others.has(name) || hasChunks(others, name));
  const chunks = base === undefined ? new Map<number, Oid>() : takeChunks(others, base);
  const numbers = [...chunks.keys()].sort((a, b) => a - b);
  return {
    index,
    metadata: take("metadata.json"),
    transcript: numbers.flatMap((number) => chunks.get(number) ?? []),
    missingChunks: gapsIn(numbers),
    compact: take("transcript.jsonl"),
    prompt: take("prompt.txt"),
    contentHash: take("content_hash.txt", "raw_transcript_hash.txt"),
    compactHash: take("transcript_hash.txt"),
    context: take("context.md"),
    others,
  };
}

/** The first numbers that a sorted list leaves out: one name can claim a million chunks before it. */
function gapsIn(numbers: readonly number[]): number[] {
  const gaps: number[] = [];
  let expected = 0;
  for (const number of numbers) {
    for (; expected < number && gaps.length < maxNamedGaps; expected += 1) gaps.push(expected);
    expected = number + 1;
  }
  return gaps;
}

/** No transcript has so many: what lies behind such a gap is hostile, and is not counted up to. */
const maxNamedGaps = 10_000;

function hasChunks(folder: ReadonlyMap<string, Oid>, base: string): boolean {
  return [...folder.keys()].some((name) => chunkName.exec(name)?.[1] === base);
}

function takeChunks(folder: Map<string, Oid>, base: string): Map<number, Oid> {
  const chunks = new Map<number, Oid>();
  for (const [name, oid] of folder) {
    const match = chunkName.exec(name);
    const number = name === base ? 0 : match?.[1] === base ? Number(match[2]) : undefined;
    if (number === undefined) continue;
    chunks.set(number, oid);
    folder.delete(name);
  }
  return chunks;
}

/** Name of chunk `number` of a transcript whose first chunk is `base`. */
export function chunkFileName(base: string, number: number): string {
  return number === 0 ? base : `${base}.${String(number).padStart(3, "0")}`;
}
