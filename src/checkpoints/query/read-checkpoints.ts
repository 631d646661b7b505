import type { Git } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";
import { readSmallObjects, type SmallObjectReader } from "../../git/objects/object-stream.ts";
import {
  type CheckpointTree,
  type SessionFiles,
  type StoreKind,
  sessionsOf,
} from "../record/checkpoint-tree.ts";
import type { CheckpointId } from "../record/ids.ts";
import { maxMetadataBytes, maxPromptBytes, maxSessions } from "../record/limits.ts";
import {
  parseRootMetadata,
  parseSessionMetadata,
  type RootMetadata,
  type SessionMetadata,
} from "../record/metadata.ts";
import type { CheckpointStores } from "../stores/stores.ts";

/** A checkpoint wherever it is: the preferred place first, the same checkpoint in other stores behind. */
export type CheckpointPlaces = readonly [CheckpointTree, ...CheckpointTree[]];

const preference: readonly StoreKind[] = ["refs", "v1", "v2"];

/** Every checkpoint on this machine, from trees alone. */
export async function listCheckpointPlaces(
  stores: CheckpointStores,
  options: { readonly raw?: boolean } = {},
): Promise<Map<CheckpointId, CheckpointPlaces>> {
  const places = new Map<CheckpointId, CheckpointPlaces>();
  const lists = await Promise.all(preference.map((kind) => stores[kind].list(options)));
  for (const trees of lists) {
    for (const [id, tree] of trees) {
      const found = places.get(id);
      places.set(id, found === undefined ? [tree] : [...found, tree]);
    }
  }
  return places;
}

export async function findCheckpointPlaces(
  stores: CheckpointStores,
  id: CheckpointId,
): Promise<CheckpointPlaces | undefined> {
  const [first, ...rest] = (await Promise.all(preference.map((kind) => stores[kind].find(id)))).filter(
    (tree) => tree !== undefined,
  );
  return first === undefined ? undefined : [first, ...rest];
}

/** What happened to a piece of a checkpoint: a reader must be able to say which. */
export type Absence = "never recorded" | "missing here" | "damaged" | "too large";

export interface ReadCheckpoint {
  readonly id: CheckpointId;
  readonly places: CheckpointPlaces;
  readonly root: RootMetadata | Absence;
  readonly sessions: readonly ReadSession[];
}

export interface ReadSession {
  readonly files: SessionFiles;
  readonly metadata: SessionMetadata | Absence;
}

/** Reads the metadata of many checkpoints in two bulk reads, root first because it orders the sessions. */
export async function readCheckpoints(
  git: Git,
  places: Iterable<readonly [CheckpointId, CheckpointPlaces]>,
  objects: Pick<SmallObjectReader, "read"> = oneRead(git),
): Promise<ReadCheckpoint[]> {
  const list = [...places];
  const rootOids = list.flatMap(([, [tree]]) => tree.files.get("metadata.json") ?? []);
  const sessionOids: Oid[] = [];
  for (const [, [tree]] of list) {
    for (const [path, oid] of tree.files) if (/^\d{1,6}\/metadata\.json$/.test(path)) sessionOids.push(oid);
  }
  const contents = await objects.read([...rootOids, ...sessionOids], maxMetadataBytes);
  return list.map(([id, at]) => {
    const [tree] = at;
    const root = decode(contents, tree.files.get("metadata.json"), parseRootMetadata);
    const files = sessionsOf(tree, typeof root === "string" ? [] : root.sessions).slice(0, maxSessions);
    const sessions = files.map((session) => ({
      files: session,
      metadata: decode(contents, session.metadata, parseSessionMetadata),
    }));
    return { id, places: at, root, sessions };
  });
}

function oneRead(git: Git): Pick<SmallObjectReader, "read"> {
  return { read: (oids, maxBytes) => readSmallObjects(git, oids, maxBytes) };
}

function decode<T>(
  contents: ReadonlyMap<string, Buffer | "missing" | "oversized">,
  oid: Oid | undefined,
  parse: (content: Buffer) => T | undefined,
): T | Absence {
  if (oid === undefined) return "never recorded";
  const content = contents.get(oid);
  if (content === undefined || content === "missing") return "missing here";
  if (content === "oversized") return "too large";
  return parse(content) ?? "damaged";
}

/** The prompts of many sessions; absent where there is no file, with the reason where there is one but no content. */
export async function readPrompts(
  git: Git,
  sessions: readonly SessionFiles[],
  objects: Pick<SmallObjectReader, "read"> = oneRead(git),
): Promise<Map<Oid, readonly string[] | Absence>> {
  const oids = sessions.flatMap(({ prompt }) => prompt ?? []);
  const prompts = new Map<Oid, readonly string[] | Absence>();
  for (const [oid, content] of await objects.read(oids, maxPromptBytes)) {
    prompts.set(
      oid as Oid,
      content === "missing"
        ? "missing here"
        : content === "oversized"
          ? "too large"
          : splitPrompts(content.toString()),
    );
  }
  return prompts;
}

/** Prompts of one file, as every version separates them. */
export function splitPrompts(text: string): string[] {
  return text
    .split("\n\n---\n\n")
    .map((prompt) => prompt.trim())
    .filter((prompt) => prompt !== "");
}
