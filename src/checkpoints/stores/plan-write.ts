import { KeyframeError } from "../../base/errors.ts";
import { encodeJsonDocument, type JsonMap, type JsonValue } from "../../base/json-document.ts";
import { chunkFileName } from "../record/checkpoint-tree.ts";
import type { CheckpointId } from "../record/ids.ts";
import { keepUnknown, orderKeys, rootOrder, sessionOrder } from "../record/metadata-order.ts";
import { mergeSessionsInto } from "../record/sum-sessions.ts";
import type { BlobSource, CheckpointWrite, SessionWrite } from "./store.ts";

/** Where a store puts things, and how its session metadata differs from that of v1. */
export interface Layout {
  /** Of the paths in `sessions[]`: `/ab/cdef...` or empty. */
  pathPrefix(id: CheckpointId): string;
  readonly transcriptBase: string;
  readonly contentHashName: string;
  /** Where subagents' files go: beside the sessions, or into the newest session's directory. */
  readonly tasksInSession: boolean;
  /** Hash file of the compact transcript, which then stands for the transcript in `sessions[]`. */
  readonly compactHashName: string | undefined;
  encodeSession(metadata: JsonMap): JsonMap;
  decodeSession(metadata: JsonMap): JsonMap;
}

/** A stored checkpoint as far as a write must know it. */
export interface CheckpointState {
  readonly files: ReadonlyMap<string, BlobSource>;
  /** As stored. */
  readonly root: JsonMap | undefined;
  /** Session metadata by directory number, as stored. */
  readonly sessions: ReadonlyMap<number, JsonMap>;
}

export const emptyState: CheckpointState = { files: new Map(), root: undefined, sessions: new Map() };

/**
 * What a checkpoint holds after a write; pure. A session goes into the directory that holds its id already, else into a
 * new one behind the last, so no other session's directory is ever written over.
 */
export function planCheckpoint(
  stored: CheckpointState,
  write: CheckpointWrite,
  layout: Layout,
): CheckpointState {
  const before = write.whole === true ? emptyState : stored;
  const files = new Map(before.files);
  const sessions = new Map(before.sessions);
  for (const session of write.sessions) {
    const index = slotOf({ files, sessions }, session, write.id);
    const metadata = orderKeys(
      keepUnknown(sessions.get(index), layout.encodeSession(session.metadata), sessionOrder),
      sessionOrder,
    );
    sessions.set(index, metadata);
    for (const path of files.keys()) {
      if (path.startsWith(`${index}/`) && isReplaced(path.slice(`${index}/`.length), layout))
        files.delete(path);
    }
    files.set(`${index}/metadata.json`, { bytes: encodeMetadata(metadata) });
    for (const [name, source] of contentFiles(session, layout)) files.set(`${index}/${name}`, source);
  }
  const newest = newestSession(sessions);
  for (const [path, source] of write.tasks ?? []) {
    const places = [`${newest}/tasks/${path}`, `tasks/${path}`];
    if (!layout.tasksInSession) places.reverse();
    // a whole record leaves nothing out: what finds its place taken by another content goes to the other place
    const possible = write.whole === true ? places : places.slice(0, 1);
    const place = possible.find((at) => !files.has(at) || isSameObject(files.get(at), source));
    if (place !== undefined) files.set(place, source);
  }
  for (const [path, source] of write.others ?? []) if (!files.has(path)) files.set(path, source);
  const root = planRoot(before, write, { files, sessions, layout });
  files.set("metadata.json", { bytes: encodeMetadata(root) });
  return { files, root, sessions };
}

export function isSameObject(a: BlobSource | undefined, b: BlobSource): boolean {
  return a !== undefined && "oid" in a && "oid" in b && a.oid === b.oid;
}

function slotOf(
  { files, sessions }: Pick<CheckpointState, "files" | "sessions">,
  session: SessionWrite,
  id: CheckpointId,
): number {
  if (typeof session.slot === "number") return session.slot;
  const folders = [...files.keys()].flatMap((path) => /^(\d{1,6})\//.exec(path)?.[1] ?? []);
  const behindLast = Math.max(-1, ...folders.map(Number), ...sessions.keys()) + 1;
  if (session.slot === "new") return behindLast;
  const sessionId = session.metadata.get("session_id");
  if (typeof sessionId !== "string" || sessionId === "") {
    throw new KeyframeError("invalid-input", `a session of checkpoint ${id} has no id`);
  }
  for (const [index, metadata] of sessions) if (metadata.get("session_id") === sessionId) return index;
  return behindLast;
}

/** A write brings its session's own files anew, whatever an older version called them; files of other writers stay. */
function isReplaced(name: string, layout: Layout): boolean {
  return (
    /^(?:metadata\.json|prompt\.txt|transcript\.jsonl|(?:raw_transcript_|content_)hash\.txt)$/.test(name) ||
    /^(?:full\.jsonl|full\.log|raw_transcript)(?:\.\d+)?$/.test(name) ||
    name === layout.compactHashName
  );
}

/** The files of a session beside its metadata, as a layout names them. */
export function* contentFiles(
  session: Omit<SessionWrite, "metadata">,
  layout: Layout,
): Generator<readonly [string, BlobSource]> {
  const absent = new Set(session.missingChunks);
  let number = 0;
  for (const chunk of session.transcript) {
    while (absent.has(number)) number += 1;
    yield [chunkFileName(layout.transcriptBase, number), chunk];
    number += 1;
  }
  if (session.contentHash !== undefined) yield [layout.contentHashName, session.contentHash];
  if (session.prompt !== undefined) yield ["prompt.txt", session.prompt];
  if (session.compact !== undefined) yield ["transcript.jsonl", session.compact];
  if (session.context !== undefined) yield ["context.md", session.context];
  yield* session.others ?? [];
}

function newestSession(sessions: ReadonlyMap<number, JsonMap>): number {
  let newest = 0;
  let at = "";
  for (const [index, metadata] of sessions) {
    const created = metadata.get("created_at");
    if (typeof created === "string" && created >= at) [newest, at] = [index, created];
  }
  return newest;
}

interface Planned {
  readonly files: ReadonlyMap<string, BlobSource>;
  readonly sessions: ReadonlyMap<number, JsonMap>;
  readonly layout: Layout;
}

function planRoot(before: CheckpointState, write: CheckpointWrite, planned: Planned): JsonMap {
  const indexes = [...planned.sessions.keys()];
  // a whole record keeps the order in which it was given
  if (write.whole !== true) indexes.sort((a, b) => a - b);
  const root: JsonMap = new Map(before.root);
  for (const [key, value] of write.root) root.set(key, value);
  root.set("checkpoint_id", write.id);
  const unknown = unknownPathMembers(root.get("sessions"));
  root.set(
    "sessions",
    indexes.map((index) => {
      const paths = sessionPaths(index, write.id, planned);
      return new Map([...paths, ...(unknown.get(index) ?? [])]);
    }),
  );
  if (write.whole !== true) {
    mergeSessionsInto(
      root,
      indexes.flatMap((index) => planned.sessions.get(index) ?? []),
    );
  }
  return orderKeys(root, rootOrder);
}

const pathMembers = [
  "metadata",
  "transcript",
  "context",
  "compact_transcript",
  "content_hash",
  "prompt",
  "assets_manifest",
];

/** Members of `sessions` that only another writer knows, by the directory number of their session. */
function unknownPathMembers(stored: JsonValue | undefined): Map<number, JsonMap> {
  const byIndex = new Map<number, JsonMap>();
  for (const session of Array.isArray(stored) ? stored : []) {
    if (!(session instanceof Map)) continue;
    const path = session.get("metadata");
    const index = typeof path === "string" ? /(?:^|\/)(\d{1,6})\/[^/]+$/.exec(path)?.[1] : undefined;
    const others = [...session].filter(([key]) => !pathMembers.includes(key));
    if (index !== undefined && others.length > 0) byIndex.set(Number(index), new Map(others));
  }
  return byIndex;
}

function sessionPaths(index: number, id: CheckpointId, { files, layout }: Planned): JsonMap {
  const path = (name: string) => `${layout.pathPrefix(id)}/${index}/${name}`;
  const at = (name: string) => (files.has(`${index}/${name}`) ? path(name) : "");
  const paths: JsonMap = new Map([["metadata", at("metadata.json")]]);
  const compact = at("transcript.jsonl");
  if (layout.compactHashName === undefined) {
    // named even where nothing was recorded: other readers expect them
    paths.set("transcript", path(layout.transcriptBase));
    if (at("context.md") !== "") paths.set("context", at("context.md"));
    if (compact !== "") paths.set("compact_transcript", compact);
    paths.set("content_hash", path(layout.contentHashName));
  } else {
    paths.set("transcript", compact);
    paths.set("content_hash", at(layout.compactHashName));
  }
  paths.set("prompt", at("prompt.txt"));
  if (at("assets/manifest.json") !== "") paths.set("assets_manifest", at("assets/manifest.json"));
  return paths;
}

export function encodeMetadata(metadata: JsonMap): Buffer {
  return Buffer.from(`${encodeJsonDocument(metadata)}\n`);
}
