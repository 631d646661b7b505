import type { Git } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";
import { openSmallObjectReader, type SmallObjectReader } from "../../git/objects/small-objects.ts";
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
import type { CheckpointStores } from "../stores/open-stores.ts";

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
  objects: Pick<SmallObjectReader, "each"> = oneRead(git),
): Promise<ReadCheckpoint[]> {
  const list = [...places];
  const rootOids = list.flatMap(([, [tree]]) => tree.files.get("metadata.json") ?? []);
  const sessionOids: Oid[] = [];
  for (const [, [tree]] of list) {
    for (const [path, oid] of tree.files) if (/^\d{1,6}\/metadata\.json$/.test(path)) sessionOids.push(oid);
  }
  const roots = await parseEach(objects, rootOids, parseRootMetadata);
  const bySession = await parseEach(objects, sessionOids, parseSessionMetadata);
  return list.map(([id, at]) => {
    const [tree] = at;
    const root = parsed(roots, tree.files.get("metadata.json"));
    const files = sessionsOf(tree, typeof root === "string" ? [] : root.sessions).slice(0, maxSessions);
    const sessions = files.map((session) => ({
      files: session,
      metadata: parsed(bySession, session.metadata),
    }));
    return { id, places: at, root, sessions };
  });
}

function oneRead(git: Git): Pick<SmallObjectReader, "each"> {
  return {
    async each(...request) {
      const reader = openSmallObjectReader(git);
      try {
        await reader.each(...request);
      } finally {
        await reader.close();
      }
    },
  };
}

/** Parsed as it comes and once, however many records name the same: contents are let go. */
async function parseEach<T>(
  objects: Pick<SmallObjectReader, "each">,
  oids: readonly Oid[],
  parse: (content: Buffer) => T | undefined,
): Promise<Map<string, T | Absence>> {
  const found = new Map<string, T | Absence>();
  await objects.each(oids, maxMetadataBytes, (oid, object) => {
    if (object === "missing") found.set(oid, "missing here");
    else found.set(oid, object === "oversized" ? "too large" : (parse(object) ?? "damaged"));
  });
  return found;
}

function parsed<T>(found: ReadonlyMap<string, T | Absence>, oid: Oid | undefined): T | Absence {
  return oid === undefined ? "never recorded" : (found.get(oid) ?? "missing here");
}

/** The prompts of many sessions; absent where there is no file, with the reason where there is one but no content. */
export async function readPrompts(
  git: Git,
  sessions: readonly SessionFiles[],
  objects: Pick<SmallObjectReader, "each"> = oneRead(git),
): Promise<Map<Oid, readonly string[] | Absence>> {
  const oids = sessions.flatMap(({ prompt }) => prompt ?? []);
  const prompts = new Map<Oid, readonly string[] | Absence>();
  await objects.each(oids, maxPromptBytes, (oid, object) => {
    if (object === "missing") prompts.set(oid as Oid, "missing here");
    else prompts.set(oid as Oid, object === "oversized" ? "too large" : splitPrompts(object.toString()));
  });
  return prompts;
}

/** Prompts of one file, as every version separates them. */
export function splitPrompts(text: string): string[] {
  return text
    .split("\n\n---\n\n")
    .map((prompt) => prompt.trim())
    .filter((prompt) => prompt !== "");
}
