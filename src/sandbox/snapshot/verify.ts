import { errorText, isKeyframeError } from "../../base/errors.ts";
import { openMemoryDiff } from "../memory/diff-file.ts";
import { checkDiskLayer } from "../store/disk-layers.ts";
import type { SandboxContext } from "../store/home.ts";
import type { SnapshotRecord } from "../store/records.ts";
import {
  findSnapshot,
  mustBeLocal,
  mustBeReady,
  type ReadySnapshot,
  readDeviceState,
  sealOf,
  snapshotFiles,
} from "../store/snapshot-store.ts";

export interface SnapshotProblem {
  readonly snapshot: string;
  readonly problem: string;
}

/** Reads everything that a snapshot and its ancestors are made of, and says what is wrong: all of it, not the first. */
export async function verifySnapshot(
  context: SandboxContext,
  head: SnapshotRecord,
): Promise<SnapshotProblem[]> {
  const problems: SnapshotProblem[] = [];
  const seen = new Set<string>();
  const attempt = async <T>(snapshot: string, work: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      if (!isKeyframeError(error)) throw error;
      problems.push({ snapshot, problem: errorText(error) });
      return undefined;
    }
  };
  for (let next: SnapshotRecord | undefined = head; next !== undefined; ) {
    const { id, parent }: SnapshotRecord = next;
    const record = next;
    const ready = await attempt(id, () => mustBeReady(context, record));
    if (ready !== undefined) await verifyLink(context, ready, attempt, problems, seen);
    next = parent === undefined ? undefined : await attempt(id, () => findSnapshot(context, parent.id));
    if (next !== undefined && parent !== undefined && next.seal !== parent.seal) {
      problems.push({
        snapshot: id,
        problem: `it depends on another ${parent.id} than the one that is there`,
      });
    }
  }
  return problems;
}

async function verifyLink(
  context: SandboxContext,
  link: ReadySnapshot,
  attempt: (snapshot: string, work: () => void | Promise<void>) => Promise<void>,
  problems: SnapshotProblem[],
  seen: Set<string>,
): Promise<void> {
  if (sealOf(link) !== link.seal)
    problems.push({ snapshot: link.id, problem: "its record does not match its seal" });
  await attempt(link.id, () => void readDeviceState(context, link));
  await attempt(link.id, async () => {
    mustBeLocal(link);
    const diff = openMemoryDiff(snapshotFiles(context, link.id).memory, link.memory.tableDigest);
    try {
      for (const run of diff.table.runs) {
        if (run.kind === "data") await attempt(link.id, () => void diff.readRun(run));
      }
    } finally {
      diff.close();
    }
  });
  for (const layer of link.disk) {
    if (seen.has(layer.id)) continue;
    seen.add(layer.id);
    await attempt(link.id, () => checkDiskLayer(context, layer, { expected: layer.sha256, deep: true }));
  }
}
