import type { Remote } from "../../../git/remote/remote.ts";
import {
  type CheckpointPlaces,
  findCheckpointPlaces,
  listCheckpointPlaces,
} from "../../query/read-checkpoints.ts";
import type { CheckpointTree } from "../../record/checkpoint-tree.ts";
import type { CheckpointId } from "../../record/ids.ts";
import { openCheckpointStores } from "../../stores/open-stores.ts";
import { type FilesReport, fetchFiles, mustHaveAll, type WantedFile } from "./fetch-files.ts";
import { checkpointPatterns, fetchCheckpointTips, type SyncContext, type TipsReport } from "./fetch-tips.ts";
import { withFetched } from "./fetched-stores.ts";

export interface FetchReport {
  readonly tips: TipsReport;
  /** Checkpoints that can be listed now, of every store and remote. */
  readonly checkpoints: number;
  readonly files: FilesReport;
}

/**
 * Gets what listing needs of all checkpoints of a remote (trees, metadata, prompts), and of some checkpoints everything.
 * @throws KeyframeError `not-on-remote` if something of `whole` is nowhere; as `fetchCheckpointTips`
 */
export async function fetchCheckpoints(
  context: SyncContext,
  remote: Remote,
  { whole = [] }: { readonly whole?: readonly CheckpointId[] } = {},
): Promise<FetchReport> {
  const tips = await context.trace.span("tips", () =>
    fetchCheckpointTips(context, remote, checkpointPatterns()),
  );
  const stores = withFetched(openCheckpointStores(context.git), context.git, context.files);
  const places = await listCheckpointPlaces(stores, { raw: whole.length > 0 });
  const wanted = [...places].flatMap(([id, trees]) =>
    trees.flatMap((tree) => filesOf(tree, whole.includes(id) ? anyFile : listedFile)),
  );
  const files = await context.trace.span("files", () => fetchFiles(context, remote, wanted));
  const named = whole.map((id) => ` ${id}`);
  mustHaveAll(remote, {
    ...files,
    absent: files.absent.filter(({ what }) => named.some((name) => what.endsWith(name))),
  });
  return { tips, checkpoints: places.size, files };
}

/**
 * Where a checkpoint is, once everything that can be learnt of it from the remote is here: nothing is asked of the
 * network while what is here is whole.
 */
export async function findOrFetchCheckpoint(
  context: SyncContext,
  remote: Remote | undefined,
  id: CheckpointId,
): Promise<CheckpointPlaces | undefined> {
  const open = () => withFetched(openCheckpointStores(context.git), context.git, context.files);
  const here = await findCheckpointPlaces(open(), id);
  if (here !== undefined || remote === undefined) return here;
  await fetchCheckpointTips(context, remote, checkpointPatterns([id]));
  return findCheckpointPlaces(open(), id);
}

const anyFile = /^/;
const listedFile = /^(?:metadata\.json|\d{1,6}\/(?:metadata\.json|prompt\.txt))$/;

/** Files of a checkpoint by path. */
export function filesOf({ id, files }: CheckpointTree, which: RegExp): WantedFile[] {
  return [...files]
    .filter(([path]) => which.test(path))
    .map(([path, oid]) => ({ oid, what: `${path} of checkpoint ${id}` }));
}
