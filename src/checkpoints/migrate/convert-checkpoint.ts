import { createHash } from "node:crypto";
import { sha256Hex } from "../../base/digest.ts";
import type { JsonMap } from "../../base/json-document.ts";
import type { Git } from "../../git/git.ts";
import { streamObjects } from "../../git/objects/object-stream.ts";
import type { CompactVersion, SessionCompactors } from "../query/compact-sessions.ts";
import type { TranscriptReader } from "../query/read-transcript.ts";
import { type SessionFiles, type StoreKind, sessionsOf } from "../record/checkpoint-tree.ts";
import { parseRootMetadata } from "../record/metadata.ts";
import { layouts } from "../stores/layouts.ts";
import type { CheckpointState } from "../stores/plan-write.ts";
import { contentFiles, encodeMetadata, isSameObject } from "../stores/plan-write.ts";
import type { BlobSource, CheckpointWrite, SessionWrite } from "../stores/store.ts";
import type { MigrationStep } from "./plan-migration.ts";

interface Conversion {
  readonly git: Git;
  readonly transcripts: TranscriptReader;
  readonly compactors: SessionCompactors;
  readonly step: MigrationStep;
  readonly state: CheckpointState;
  readonly to: StoreKind;
}

/**
 * A stored checkpoint as another store's record. Raw transcripts go over by object id, unread unless the compact
 * transcript has to be made.
 */
export async function convertCheckpoint(
  conversion: Conversion,
): Promise<{ readonly write: CheckpointWrite; readonly warnings: readonly string[] }> {
  const { step, state, to } = conversion;
  const warnings: string[] = [];
  const sessions: SessionWrite[] = [];
  const rest = restOf(state);
  const named =
    state.root === undefined ? [] : (parseRootMetadata(encodeMetadata(state.root))?.sessions ?? []);
  for (const files of sessionsOf(step.from, named)) {
    if (step.slots !== undefined && !step.slots.has(files.index)) continue;
    const stored = files.index === -1 ? state.root : state.sessions.get(files.index);
    const warn = (text: string) => warnings.push(`checkpoint ${step.id}, session ${files.index}: ${text}`);
    const slot = step.slots?.get(files.index) ?? Math.max(0, files.index);
    if (stored !== undefined) {
      const session = await convertSession(conversion, files, stored, warn);
      sessions.push({ ...session, slot, others: takeTasks(session.others ?? new Map(), rest.tasks) });
      continue;
    }
    warn("it has no metadata");
    for (const [name, source] of contentFiles(contentOfSession(files), layouts[to]))
      rest.others.set(`${slot}/${name}`, source);
  }
  const root: JsonMap = new Map(state.root);
  if (to === "refs") root.delete("checkpoint_version");
  const whole = step.slots === undefined;
  return {
    write: { id: step.id, root: whole ? root : new Map(), sessions, whole, ...rest },
    warnings,
  };
}

/** What a checkpoint holds beside its sessions and its own metadata. */
function restOf(state: CheckpointState) {
  const tasks = new Map<string, BlobSource>();
  const others = new Map<string, BlobSource>();
  const isFlat = state.sessions.size === 0;
  for (const [path, source] of state.files) {
    if (path.startsWith("tasks/")) tasks.set(path.slice("tasks/".length), source);
    // in the oldest layout the files beside the metadata are those of its one session
    else if (!/^\d{1,6}\//.test(path) && path !== "metadata.json" && (!isFlat || path.includes("/")))
      others.set(path, source);
  }
  return { tasks, others };
}

/**
 * Takes subagents' files out of a session's directory, because each store has a place of its own for them. One whose name
 * another content has taken stays with its session.
 */
function takeTasks(
  files: ReadonlyMap<string, BlobSource>,
  tasks: Map<string, BlobSource>,
): Map<string, BlobSource> {
  const kept = new Map<string, BlobSource>();
  for (const [name, source] of files) {
    const path = name.slice("tasks/".length);
    if (!name.startsWith("tasks/")) kept.set(name, source);
    else if (!tasks.has(path)) tasks.set(path, source);
    else if (!isSameObject(tasks.get(path), source)) kept.set(name, source);
  }
  return kept;
}

async function convertSession(
  { git, transcripts, compactors, step, to }: Conversion,
  files: SessionFiles,
  stored: JsonMap,
  warn: (text: string) => void,
): Promise<SessionWrite> {
  const metadata = new Map(layouts[step.from.store].decodeSession(stored));
  const others = new Map<string, BlobSource>();
  const taken = new Set(
    [...contentFiles({ ...contentOfSession(files), others: new Map() }, layouts[to])].map(([name]) => name),
  );
  // a name that means something else in the target
  for (const [name, oid] of files.others) others.set(taken.has(name) ? `other-${name}` : name, { oid });
  if (to !== "v2" && step.from.store !== "v2" && files.compactHash !== undefined)
    others.set("transcript_hash.txt", { oid: files.compactHash });
  let compact: BlobSource | undefined = files.compact === undefined ? undefined : { oid: files.compact };
  const start = metadata.get("checkpoint_transcript_start");
  // absent: the older kind, which holds only what the checkpoint added
  const reusable = compact !== undefined && metadata.get("compact_transcript_start") !== undefined;
  const needsRawStart =
    step.from.store === "v2" &&
    start === undefined &&
    Number(metadata.get("compact_transcript_start") ?? 0) > 0;
  if (files.transcript.length === 0) warn("no transcript was recorded");
  else if ((to === "v2" && !reusable) || needsRawStart) {
    const version = await makeCompact({ transcripts, compactors, step, files, metadata, warn });
    if (version !== undefined && needsRawStart) {
      metadata.set(
        "checkpoint_transcript_start",
        version.rawLineOf(Number(metadata.get("compact_transcript_start"))),
      );
    }
    if (to === "v2" && !reusable) {
      compact = version?.bytes === undefined ? undefined : { bytes: version.bytes };
      if (version !== undefined) {
        metadata.set(
          "compact_transcript_start",
          version.compactLineOf(typeof start === "number" ? start : 0),
        );
      }
    }
  }
  if (compact === undefined) metadata.delete("compact_transcript_start");
  if (to === "v2" && compact !== undefined) {
    const hash = await compactHash(git, compact);
    if (hash !== undefined) others.set("transcript_hash.txt", { bytes: Buffer.from(`sha256:${hash}`) });
  }
  const { compact: _, ...content } = contentOfSession(files);
  return { ...content, metadata, others, ...(compact === undefined ? {} : { compact }) };
}

/** A session's stored files as they are. */
/** Everything that a store has of a session beside its metadata, to be written again. */
export function contentOfSession(files: SessionFiles): Omit<SessionWrite, "metadata"> {
  const { contentHash, prompt, context, compact } = files;
  return {
    transcript: files.transcript.map((oid) => ({ oid })),
    missingChunks: files.missingChunks,
    ...(contentHash === undefined ? {} : { contentHash: { oid: contentHash } }),
    ...(prompt === undefined ? {} : { prompt: { oid: prompt } }),
    ...(context === undefined ? {} : { context: { oid: context } }),
    ...(compact === undefined ? {} : { compact: { oid: compact } }),
    others: new Map([...files.others].map(([name, oid]) => [name, { oid }])),
  };
}

interface CompactJob {
  readonly transcripts: TranscriptReader;
  readonly compactors: SessionCompactors;
  readonly step: MigrationStep;
  readonly files: SessionFiles;
  readonly metadata: JsonMap;
  readonly warn: (text: string) => void;
}

async function makeCompact({
  transcripts,
  compactors,
  step,
  files,
  metadata,
  warn,
}: CompactJob): Promise<CompactVersion | undefined> {
  const text = (key: string) => {
    const value = metadata.get(key);
    return typeof value === "string" ? value : "";
  };
  if (files.missingChunks.length > 0 || (await transcripts.missing(files.transcript)).length > 0) {
    warn("no compact transcript, the raw one is not whole on this machine");
    return undefined;
  }
  const version = await compactors.compact({
    sessionId: text("session_id"),
    agent: text("agent"),
    cliVersion: text("cli_version"),
    open: () => transcripts.open(step.id, files),
  });
  if (version === undefined)
    warn(`no compact transcript, the format of ${text("agent") || "its agent"} is not known`);
  return version;
}

async function compactHash(git: Git, compact: BlobSource): Promise<string | undefined> {
  if ("bytes" in compact) return sha256Hex(compact.bytes);
  const hash = createHash("sha256");
  for await (const object of streamObjects(git, [compact.oid])) {
    if (object.info === undefined) return undefined;
    for await (const piece of object.chunks()) hash.update(piece);
  }
  return hash.digest("hex");
}
