import type { JsonMap, JsonValue } from "../../../base/json-document.ts";
import type { Oid } from "../../../git/ids.ts";
import {
  type CheckpointTree,
  type SessionFiles,
  type StoreKind,
  sessionsOf,
} from "../../record/checkpoint-tree.ts";
import { layouts } from "../../stores/layouts.ts";
import { type CheckpointState, encodeMetadata, planCheckpoint } from "../../stores/plan-write.ts";
import type { BlobSource, CheckpointWrite, SessionWrite } from "../../stores/store.ts";

/** One side's record of a checkpoint: its files, and what they say. */
export interface Side {
  readonly tree: CheckpointTree;
  readonly state: CheckpointState;
}

export interface CheckpointJoin {
  readonly ours: Side;
  readonly theirs: Side;
  /** What both grew from, where that is known. */
  readonly base: Side | undefined;
}

/**
 * The record that has both sides' sessions; pure. A session that one side left as it was is the other side's; one that
 * both changed is that of the side whose transcript holds more, and ours if nothing tells. Their directories keep their
 * numbers.
 */
export function joinCheckpoint({ ours, theirs, base }: CheckpointJoin): CheckpointState {
  const { id, store } = ours.tree;
  const theirSessions = bySessionId(theirs);
  const baseSessions = base === undefined ? undefined : bySessionId(base);
  const sessions: SessionWrite[] = [];
  for (const [sessionId, own] of bySessionId(ours)) {
    const their = theirSessions.get(sessionId);
    const before = baseSessions?.get(sessionId);
    if (their !== undefined && !isOursNewer(own, their, before)) continue;
    sessions.push(toWrite(own, store));
  }
  const rootChanged = base === undefined || !sameMetadata(base.state.root, ours.state.root);
  const write: CheckpointWrite = {
    id,
    root: rootChanged ? rootFields(ours, theirs) : new Map(),
    sessions,
    tasks: new Map(
      [...ours.tree.files]
        .filter(([path]) => path.startsWith("tasks/"))
        .map(([path, oid]): [string, BlobSource] => [path.slice("tasks/".length), { oid }]),
    ),
  };
  return planCheckpoint(theirs.state, write, layouts[store]);
}

interface StoredSession {
  readonly files: SessionFiles;
  readonly metadata: JsonMap;
}

function bySessionId({ tree, state }: Side): Map<string, StoredSession> {
  const sessions = new Map<string, StoredSession>();
  for (const files of sessionsOf(tree)) {
    const metadata = state.sessions.get(files.index);
    const id = metadata?.get("session_id");
    if (metadata !== undefined && typeof id === "string" && !sessions.has(id))
      sessions.set(id, { files, metadata });
  }
  return sessions;
}

function isOursNewer(ours: StoredSession, theirs: StoredSession, before: StoredSession | undefined): boolean {
  if (sameSession(ours, theirs)) return false;
  if (before !== undefined && sameSession(before, ours)) return false;
  if (before !== undefined && sameSession(before, theirs)) return true;
  const [own, their] = [ours.files.transcript, theirs.files.transcript];
  // all chunks but the last stay as they are when a transcript grows
  if (own.length !== their.length) return own.length > their.length;
  const lines = (session: StoredSession) => numberOf(session.metadata, "checkpoint_transcript_start");
  if (lines(ours) !== lines(theirs)) return lines(ours) > lines(theirs);
  const spent = (session: StoredSession) => outputTokens(session.metadata);
  return spent(ours) >= spent(theirs);
}

function sameSession(a: StoredSession, b: StoredSession): boolean {
  return (
    sameMetadata(a.metadata, b.metadata) &&
    sameOids(a.files.transcript, b.files.transcript) &&
    a.files.prompt === b.files.prompt &&
    a.files.compact === b.files.compact &&
    sameOids([...a.files.others.values()], [...b.files.others.values()])
  );
}

function sameOids(a: readonly Oid[], b: readonly Oid[]): boolean {
  return a.length === b.length && a.every((oid, index) => oid === b[index]);
}

function sameMetadata(a: JsonMap | undefined, b: JsonMap | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return encodeMetadata(a).equals(encodeMetadata(b));
}

function outputTokens(metadata: JsonMap): number {
  const usage = metadata.get("token_usage");
  return usage instanceof Map ? numberOf(usage, "output_tokens") : 0;
}

function numberOf(object: JsonMap, key: string): number {
  const value: JsonValue | undefined = object.get(key);
  return typeof value === "number" ? value : 0;
}

/** Ours where we have a value: a field that is null here and known there was found out by the other side. */
function rootFields(ours: Side, theirs: Side): JsonMap {
  const root: JsonMap = new Map();
  for (const [key, value] of ours.state.root ?? []) {
    if (value !== null || !theirs.state.root?.has(key)) root.set(key, value);
  }
  return root;
}

function toWrite({ files, metadata }: StoredSession, store: StoreKind): SessionWrite {
  const blob = (oid: Oid | undefined) => (oid === undefined ? undefined : { oid });
  const others = new Map<string, BlobSource>([...files.others].map(([name, oid]) => [name, { oid }]));
  if (files.compactHash !== undefined) others.set("transcript_hash.txt", { oid: files.compactHash });
  const [contentHash, prompt] = [blob(files.contentHash), blob(files.prompt)];
  const [compact, context] = [blob(files.compact), blob(files.context)];
  return {
    metadata: layouts[store].decodeSession(metadata),
    transcript: files.transcript.map((oid) => ({ oid })),
    ...(contentHash === undefined ? {} : { contentHash }),
    ...(prompt === undefined ? {} : { prompt }),
    ...(compact === undefined ? {} : { compact }),
    ...(context === undefined ? {} : { context }),
    others,
  };
}
