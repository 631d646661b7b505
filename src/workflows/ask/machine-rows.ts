import type { SandboxContext } from "../../sandbox/store/home.ts";
import type { SandboxRecord, SnapshotRecord } from "../../sandbox/store/records.ts";
import { listSandboxes, type SandboxState, sandboxState } from "../../sandbox/store/sandbox-store.ts";
import { listSnapshots, type SnapshotState, snapshotState } from "../../sandbox/store/snapshot-store.ts";

/** A snapshot or a sandbox in the tree of what was made from what. */
export interface MachineRow {
  readonly kind: "snapshot" | "sandbox";
  readonly id: string;
  readonly name?: string;
  /** 0 for what depends on nothing. */
  readonly depth: number;
  readonly state: SnapshotState | SandboxState;
  /** ISO 8601. */
  readonly at: string;
  readonly image?: string;
  /** What its memory takes on the disk. */
  readonly storedBytes?: number;
  /** What it was made from, where that is gone. */
  readonly missing?: string;
}

/** All machines of this user, each below what it was made from. */
export function readMachineRows(context: SandboxContext): MachineRow[] {
  return machineRows(
    listSnapshots(context).map((record) => ({ record, state: snapshotState(context, record) })),
    listSandboxes(context)
      .filter(({ scratch }) => scratch !== true)
      .map((record) => ({ record, state: sandboxState(context, record) })),
  );
}

interface Node {
  readonly row: Omit<MachineRow, "depth">;
  readonly parent: string | undefined;
}

/** Depth first, each list in the order given; what depends on itself, which only a damaged record does, comes last. */
export function machineRows(
  snapshots: readonly { readonly record: SnapshotRecord; readonly state: SnapshotState }[],
  sandboxes: readonly { readonly record: SandboxRecord; readonly state: SandboxState }[],
): MachineRow[] {
  const nodes = [...snapshots.map(snapshotNode), ...sandboxes.map(sandboxNode)];
  const known = new Set<string>(snapshots.map(({ record }) => record.id));
  const children = new Map<string, Node[]>();
  const roots: Node[] = [];
  for (const node of nodes) {
    if (node.parent === undefined || !known.has(node.parent)) roots.push(node);
    else children.set(node.parent, [...(children.get(node.parent) ?? []), node]);
  }
  const rows: MachineRow[] = [];
  const shown = new Set<Node>();
  const show = (first: readonly Node[]) => {
    const waiting = first.map((node) => ({ node, depth: 0 })).reverse();
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const { node, depth } = next;
      if (shown.has(node)) continue;
      shown.add(node);
      const isLost = node.parent !== undefined && !known.has(node.parent);
      rows.push({ ...node.row, depth, ...(isLost ? { missing: node.parent } : {}) });
      const below = node.row.kind === "snapshot" ? (children.get(node.row.id) ?? []) : [];
      waiting.push(...below.map((child) => ({ node: child, depth: depth + 1 })).reverse());
    }
  };
  show(roots);
  show(nodes.filter((node) => !shown.has(node)));
  return rows;
}

function snapshotNode({
  record,
  state,
}: {
  readonly record: SnapshotRecord;
  readonly state: SnapshotState;
}): Node {
  const { id, name, createdAtMs, image, memory, parent } = record;
  const stored = memory === undefined ? {} : { storedBytes: memory.fileBytes };
  return {
    row: { kind: "snapshot", id, state, ...described({ name, createdAtMs, image }), ...stored },
    parent: parent?.id,
  };
}

function sandboxNode({
  record,
  state,
}: {
  readonly record: SandboxRecord;
  readonly state: SandboxState;
}): Node {
  const { id, name, createdAtMs, image, base } = record;
  return { row: { kind: "sandbox", id, state, ...described({ name, createdAtMs, image }) }, parent: base };
}

function described({
  name,
  createdAtMs,
  image,
}: {
  readonly name: string | undefined;
  readonly createdAtMs: number;
  readonly image: string | undefined;
}): Pick<MachineRow, "name" | "at" | "image"> {
  const date = new Date(createdAtMs);
  return {
    // a damaged record may hold any number
    at: Number.isNaN(date.getTime()) ? "" : date.toISOString(),
    ...(name === undefined ? {} : { name }),
    ...(image === undefined ? {} : { image }),
  };
}
