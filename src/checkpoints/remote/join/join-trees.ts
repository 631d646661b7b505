import { errorText, KeyframeError } from "../../../base/errors.ts";
import type { Git } from "../../../git/git.ts";
import type { Oid } from "../../../git/ids.ts";
import { openBulkWriter, readObjectFormat } from "../../../git/objects/bulk-writer.ts";
import { writeTrees } from "../../../git/objects/write-tree.ts";
import type { Remote } from "../../../git/remote/remote.ts";
import type { CheckpointTree } from "../../record/checkpoint-tree.ts";
import type { CheckpointId } from "../../record/ids.ts";
import type { BlobSource } from "../../stores/store.ts";
import { tryLoadStates } from "../../stores/stored-state.ts";
import { filesOf } from "../fetch/fetch-checkpoints.ts";
import { fetchFiles } from "../fetch/fetch-files.ts";
import type { SyncContext } from "../fetch/fetch-tips.ts";
import { joinCheckpoint, type Side } from "./join-checkpoint.ts";

export type TreesById = ReadonlyMap<CheckpointId, CheckpointTree>;

export interface JoinRequest {
  /** As in `Divergence`. */
  readonly workplace: Git;
  readonly ours: TreesById;
  readonly theirs: TreesById;
  /** Ours when it was last pushed; undefined: never, or not known. */
  readonly base: TreesById | undefined;
}

export interface JoinedTrees {
  /** Files of each checkpoint that the remote shall hold otherwise than it does. */
  readonly changed: ReadonlyMap<CheckpointId, ReadonlyMap<string, Oid>>;
  /** Checkpoints that stay here for now, and why. */
  readonly problems: readonly string[];
}

const metadataFile = /^(?:metadata\.json|\d{1,6}\/metadata\.json)$/;

/**
 * What the remote shall hold so that nothing of ours and nothing of theirs is lost. Where both sides have a checkpoint,
 * the remote's metadata is fetched, and nothing else.
 */
export async function joinTrees(
  context: SyncContext,
  remote: Remote,
  { workplace, ours, theirs, base }: JoinRequest,
): Promise<JoinedTrees> {
  const sources = new Map<CheckpointId, ReadonlyMap<string, BlobSource>>();
  const both: CheckpointId[] = [];
  for (const [id, tree] of ours) {
    const their = theirs.get(id);
    const before = base?.get(id);
    if (before !== undefined && sameFiles(before, tree)) continue;
    if (their === undefined) sources.set(id, sourcesOf(tree));
    else if (!sameFiles(their, tree)) both.push(id);
  }
  const problems: string[] = [];
  if (both.length > 0) {
    const pick = (trees: TreesById) => both.flatMap((id) => trees.get(id) ?? []);
    await fetchFiles(
      context,
      remote,
      [...pick(theirs), ...pick(ours)].flatMap((tree) => filesOf(tree, metadataFile)),
    );
    const states = await Promise.all(
      [ours, theirs, base ?? new Map<CheckpointId, CheckpointTree>()].map((trees) =>
        loadSides(workplace, pick(trees)),
      ),
    );
    for (const id of both) {
      const [own, their, before] = states.map((sides) => sides.get(id));
      if (own instanceof KeyframeError || their instanceof KeyframeError || !own || !their) {
        const why = own instanceof KeyframeError ? own : their;
        problems.push(`checkpoint ${id} stays here: ${errorText(why ?? "it cannot be read")}`);
        continue;
      }
      const known = before instanceof KeyframeError ? undefined : before;
      const joined = joinCheckpoint({ ours: own, theirs: their, base: known });
      sources.set(id, joined.files);
    }
  }
  const changed = await storeFiles(workplace, sources);
  for (const [id, files] of changed) {
    const their = theirs.get(id);
    if (their !== undefined && sameFiles(their, { ...their, files })) changed.delete(id);
  }
  return { changed, problems };
}

async function loadSides(
  git: Git,
  trees: readonly CheckpointTree[],
): Promise<Map<CheckpointId, Side | KeyframeError>> {
  const files = new Map(trees.map((tree) => [tree.id, new Map(tree.files)]));
  const states = await tryLoadStates(git, files);
  return new Map(
    trees.map((tree): [CheckpointId, Side | KeyframeError] => {
      const state = states.get(tree.id) ?? new KeyframeError("damaged", "it has no files");
      return [tree.id, state instanceof KeyframeError ? state : { tree, state }];
    }),
  );
}

function sourcesOf({ files }: CheckpointTree): Map<string, BlobSource> {
  return new Map([...files].map(([path, oid]) => [path, { oid }]));
}

export function sameFiles(a: CheckpointTree, b: CheckpointTree): boolean {
  return a.files.size === b.files.size && [...a.files].every(([path, oid]) => b.files.get(path) === oid);
}

/** Stores what is given as bytes; the ids of all. */
async function storeFiles(
  git: Git,
  sources: ReadonlyMap<CheckpointId, ReadonlyMap<string, BlobSource>>,
): Promise<Map<CheckpointId, Map<string, Oid>>> {
  const writer = openBulkWriter(git, await readObjectFormat(git));
  const stored = new Map<CheckpointId, Map<string, Oid>>();
  for (const [id, files] of sources) {
    const oids = new Map<string, Oid>();
    for (const [path, source] of files)
      oids.set(path, "oid" in source ? source.oid : await writer.blob(source.bytes));
    stored.set(id, oids);
  }
  await writer.finish();
  return stored;
}

export interface JoinCommit {
  readonly parents: readonly Oid[];
  /** Files of each directory, which replace what it held; the directory "" is the whole tree. */
  readonly folders: ReadonlyMap<string, ReadonlyMap<string, Oid>>;
  readonly message: string;
  /** `Name <email>`. */
  readonly identity: string;
  readonly nowSeconds: number;
}

/** Writes a commit that no ref names yet. */
export async function writeJoinCommit(
  git: Git,
  { parents, folders, message, identity, nowSeconds }: JoinCommit,
): Promise<Oid> {
  const trees = await writeTrees(git, [...folders.values()]);
  const writer = openBulkWriter(git, await readObjectFormat(git));
  const mark = await writer.commit({
    parents,
    changes: [...folders.keys()].flatMap((path, index) => {
      const oid = trees[index];
      return oid === undefined ? [] : [{ kind: "tree" as const, path, oid }];
    }),
    message,
    identity,
    atSeconds: nowSeconds,
  });
  const oid = (await writer.finish()).get(mark);
  if (oid === undefined) throw new KeyframeError("program-failed", "git wrote no commit");
  return oid;
}
