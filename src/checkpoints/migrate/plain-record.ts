import { encodeJsonDocument, type JsonMap } from "../../base/json-document.ts";
import type { Oid } from "../../git/ids.ts";
import {
  type CheckpointTree,
  type SessionFiles,
  type StoreKind,
  sessionsOf,
} from "../record/checkpoint-tree.ts";
import { parseRootMetadata } from "../record/metadata.ts";
import { layouts } from "../stores/layouts.ts";
import type { CheckpointState } from "../stores/plan-write.ts";
import { encodeMetadata } from "../stores/plan-write.ts";

/** A checkpoint without what only its format knows, so that two formats can be compared. */
export interface PlainRecord {
  readonly store: StoreKind;
  /** Members of the checkpoint's own metadata, as text. */
  readonly members: ReadonlyMap<string, string>;
  /** In order. */
  readonly sessions: readonly PlainSession[];
  /** Subagents' files: path and digest. */
  readonly tasks: readonly string[];
  /** Whatever else there is: path and digest. */
  readonly others: readonly string[];
}

export interface PlainSession {
  readonly files: SessionFiles;
  readonly sessionId: string | undefined;
  readonly members: ReadonlyMap<string, string>;
  /** Digests of its files but the transcript, by what they are. */
  readonly contents: ReadonlyMap<string, Oid>;
  /** Where the checkpoint begins in the transcript; undefined: not recorded. */
  readonly start: number | undefined;
  /** False: the compact transcript covers only a part, as an older version wrote it. */
  readonly hasWholeCompact: boolean;
}

/** Positions that each format counts in its own way; the start of the checkpoint is compared by itself. */
const formatMembers = [
  "compact_transcript_start",
  "raw_transcript_start",
  "checkpoint_transcript_start",
  "transcript_lines_at_start",
];

export function plainRecord(tree: CheckpointTree, state: CheckpointState): PlainRecord {
  const named =
    state.root === undefined ? [] : (parseRootMetadata(encodeMetadata(state.root))?.sessions ?? []);
  const sessions = sessionsOf(tree, named);
  const isFlat = sessions.some(({ index }) => index === -1);
  const root = isFlat ? undefined : state.root;
  return {
    store: tree.store,
    members: textMembers(root, ["sessions", "checkpoint_version"]),
    sessions: sessions.map((files) =>
      plainSession(tree.store, files, files.index === -1 ? state.root : state.sessions.get(files.index)),
    ),
    tasks: [...tree.files].flatMap(([path, oid]) => {
      const task = /^(?:\d{1,6}\/)?tasks\/(.+)$/.exec(path)?.[1];
      return task === undefined ? [] : [`${task} ${oid}`];
    }),
    others: [...tree.files].flatMap(([path, oid]) =>
      /^(?:\d{1,6}|tasks)\//.test(path) || path === "metadata.json" || (isFlat && !path.includes("/"))
        ? []
        : [`${path} ${oid}`],
    ),
  };
}

function plainSession(store: StoreKind, files: SessionFiles, stored: JsonMap | undefined): PlainSession {
  const metadata = stored === undefined ? undefined : layouts[store].decodeSession(stored);
  const id = metadata?.get("session_id");
  const start = metadata?.get("checkpoint_transcript_start") ?? metadata?.get("transcript_lines_at_start");
  const contents = new Map<string, Oid>();
  for (const part of ["prompt", "context", "contentHash"] as const) {
    const oid = files[part];
    if (oid !== undefined) contents.set(part, oid);
  }
  for (const [name, oid] of files.others) {
    if (!name.startsWith("tasks/")) contents.set(name.replace(/^other-/, ""), oid);
  }
  return {
    files,
    sessionId: typeof id === "string" ? id : undefined,
    members: textMembers(metadata, formatMembers),
    contents,
    start: typeof start === "number" && start > 0 ? start : undefined,
    hasWholeCompact: metadata?.get("compact_transcript_start") !== undefined,
  };
}

function textMembers(metadata: JsonMap | undefined, leftOut: readonly string[]): Map<string, string> {
  return new Map(
    [...(metadata ?? [])]
      .filter(([key]) => !leftOut.includes(key))
      .map(([key, value]) => [key, encodeJsonDocument(value)]),
  );
}
