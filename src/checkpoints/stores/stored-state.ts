import { isKeyframeError, KeyframeError } from "../../base/errors.ts";
import { type JsonMap, parseJsonDocument } from "../../base/json-document.ts";
import type { Git } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";
import { readSmallObjects } from "../../git/objects/small-objects.ts";
import { listTree } from "../../git/objects/tree.ts";
import { type CheckpointId, isCheckpointId, shardedPath } from "../record/ids.ts";
import { maxMetadataBytes } from "../record/limits.ts";
import { type CheckpointState, emptyState } from "./plan-write.ts";
import type { CheckpointWriteOptions } from "./store.ts";

/** Files of each checkpoint of a sharded tree (`ab/cdef.../...`), by path below its directory. */
export type FilesById = Map<CheckpointId, Map<string, Oid>>;

/** From this many on, listing the whole tree is cheaper than naming folders. */
const wholeTreeFrom = 60;

/** Lists a sharded tree: all of it, or only some checkpoints. Names that are no checkpoint are passed over. */
export async function listShardedTree(
  git: Git,
  treeish: Oid | undefined,
  ids?: readonly CheckpointId[],
): Promise<FilesById> {
  const byId: FilesById = new Map();
  if (treeish === undefined || ids?.length === 0) return byId;
  const under = ids === undefined || ids.length > wholeTreeFrom ? [] : ids.map(shardedPath);
  for (const { path, oid, type } of await listTree(git, treeish, under)) {
    if (type !== "blob" || path[2] !== "/") continue;
    const folderEnd = path.indexOf("/", 3);
    const id = path.slice(0, 2) + path.slice(3, folderEnd);
    if (folderEnd === -1 || !isCheckpointId(id)) continue;
    const files = byId.get(id);
    if (files === undefined) byId.set(id, new Map([[path.slice(folderEnd + 1), oid]]));
    else files.set(path.slice(folderEnd + 1), oid);
  }
  return byId;
}

/**
 * What a write must know of stored checkpoints: their files and decoded metadata.
 * @throws KeyframeError `not-here`, `damaged` or `too-large`: merging without knowing what is there would destroy it
 */
export async function loadStates(
  git: Git,
  stored: FilesById,
  { replacesDamaged = false }: Pick<CheckpointWriteOptions, "replacesDamaged"> = {},
): Promise<Map<CheckpointId, CheckpointState>> {
  const states = new Map<CheckpointId, CheckpointState>();
  for (const [id, state] of await tryLoadStates(git, stored)) {
    const isReplaced = replacesDamaged && isKeyframeError(state, "damaged", "too-large");
    if (state instanceof KeyframeError && !isReplaced) throw state;
    states.set(id, state instanceof KeyframeError ? emptyState : state);
  }
  return states;
}

/** The same, one checkpoint's trouble being its own. */
export async function tryLoadStates(
  git: Git,
  stored: FilesById,
): Promise<Map<CheckpointId, CheckpointState | KeyframeError>> {
  const wanted: Oid[] = [];
  for (const files of stored.values()) {
    for (const [path, oid] of files) if (isMetadataPath(path)) wanted.push(oid);
  }
  const contents = await readSmallObjects(git, wanted, maxMetadataBytes);
  return new Map([...stored].map(([id, files]) => [id, toState(id, files, contents)]));
}

type Contents = Awaited<ReturnType<typeof readSmallObjects>>;

function toState(
  id: CheckpointId,
  files: ReadonlyMap<string, Oid>,
  contents: Contents,
): CheckpointState | KeyframeError {
  if (files.size === 0) return emptyState;
  const sessions = new Map<number, JsonMap>();
  let root: JsonMap | undefined;
  try {
    for (const [path, oid] of files) {
      if (!isMetadataPath(path)) continue;
      const document = decode(contents.get(oid), `${id}/${path}`);
      if (path === "metadata.json") root = document;
      else sessions.set(Number(path.split("/")[0]), document);
    }
  } catch (error) {
    if (error instanceof KeyframeError) return error;
    throw error;
  }
  return { files: new Map([...files].map(([path, oid]) => [path, { oid }])), root, sessions };
}

function isMetadataPath(path: string): boolean {
  return path === "metadata.json" || /^\d{1,6}\/metadata\.json$/.test(path);
}

function decode(content: Buffer | "missing" | "oversized" | undefined, path: string): JsonMap {
  if (content === undefined || content === "missing") {
    throw new KeyframeError("not-here", `${path} is recorded, but its content is not on this machine`, {
      hint: "run `keyframe fetch` first: without it a write could lose what others stored",
    });
  }
  if (content === "oversized") {
    throw new KeyframeError("too-large", `${path} is larger than ${maxMetadataBytes} bytes`);
  }
  const value = parseJsonDocument(content.toString("utf8"));
  if (value instanceof Map) return value;
  throw new KeyframeError("damaged", `${path} is not a JSON object`);
}
