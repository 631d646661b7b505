import { createHash } from "node:crypto";
import { sha256Hex } from "../../base/digest.ts";
import type { JsonObject } from "../../base/json-document.ts";
import type { Git } from "../../git/git.ts";
import { streamObjects } from "../../git/objects/object-stream.ts";
import type { CompactVersion, SessionCompactors } from "../query/compact-sessions.ts";
import type { TranscriptReader } from "../query/read-transcript.ts";
import { type SessionFiles, type StoreKind, sessionsOf } from "../record/checkpoint-tree.ts";
import { parseRootMetadata } from "../record/metadata.ts";
import type { CheckpointState } from "../stores/plan-write.ts";
import { encodeMetadata } from "../stores/plan-write.ts";
import type { BlobSource, CheckpointWrite, SessionWrite } from "../stores/store.ts";
import { layouts } from "../stores/store-layouts.ts";
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
  const tasks = new Map<string, BlobSource>();
  for (const [path, source] of state.files) {
    if (path.startsWith("tasks/")) tasks.set(path.slice("tasks/".length), source);
  }
  const named =
    state.root === undefined ? [] : (parseRootMetadata(encodeMetadata(state.root))?.sessions ?? []);
  for (const files of sessionsOf(step.from, named)) {
    const stored = files.index === -1 ? state.root : state.sessions.get(files.index);
    const where = `checkpoint ${step.id}, session ${files.index}`;
    if (stored === undefined) {
      warnings.push(`${where}: left out, it has no metadata`);
      continue;
    }
    for (const [name, oid] of files.others) {
      if (name.startsWith("tasks/") && !tasks.has(name.slice("tasks/".length))) {
        tasks.set(name.slice("tasks/".length), { oid });
      }
    }
    const sessionId = stored.get("session_id");
    if (step.sessions !== undefined && !(typeof sessionId === "string" && step.sessions.has(sessionId)))
      continue;
    sessions.push(
      await convertSession(conversion, files, stored, (text) => warnings.push(`${where}: ${text}`)),
    );
  }
  const root: JsonObject = new Map(state.root);
  if (to === "refs") root.delete("checkpoint_version");
  const whole = step.sessions === undefined;
  return { write: { id: step.id, root: whole ? root : new Map(), sessions, tasks, whole }, warnings };
}

async function convertSession(
  { git, transcripts, compactors, step, to }: Conversion,
  files: SessionFiles,
  stored: JsonObject,
  warn: (text: string) => void,
): Promise<SessionWrite> {
  const metadata = new Map(layouts[step.from.store].decodeSession(stored));
  const others = new Map<string, BlobSource>();
  for (const [name, oid] of files.others) if (!name.startsWith("tasks/")) others.set(name, { oid });
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
  return {
    metadata,
    transcript: files.transcript.map((oid) => ({ oid })),
    ...(files.contentHash === undefined ? {} : { contentHash: { oid: files.contentHash } }),
    ...(files.prompt === undefined ? {} : { prompt: { oid: files.prompt } }),
    ...(files.context === undefined ? {} : { context: { oid: files.context } }),
    ...(compact === undefined ? {} : { compact }),
    others,
  };
}

interface CompactJob {
  readonly transcripts: TranscriptReader;
  readonly compactors: SessionCompactors;
  readonly step: MigrationStep;
  readonly files: SessionFiles;
  readonly metadata: JsonObject;
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
