import type { ObjectName, SnapshotId } from "../ids.ts";
import type { SnapshotRecord } from "../store/records.ts";

export interface SnapshotNode {
  readonly id: SnapshotId;
  readonly name: ObjectName | null;
  /** What it depends on, where that is gone. */
  readonly missingParent?: SnapshotId;
  readonly children: readonly SnapshotNode[];
}

/** What depends on what: the roots, in the order given. */
export function buildSnapshotTree(all: readonly SnapshotRecord[]): SnapshotNode[] {
  const ids = new Set(all.map((each) => each.id));
  const node = (record: SnapshotRecord): SnapshotNode => ({
    id: record.id,
    name: record.name ?? null,
    ...(record.parent !== undefined && !ids.has(record.parent.id) ? { missingParent: record.parent.id } : {}),
    children: all.filter((each) => each.parent?.id === record.id).map(node),
  });
  return all.filter((each) => each.parent === undefined || !ids.has(each.parent.id)).map(node);
}
