import { formatBytes } from "../../base/bytes.ts";
import { KeyframeError } from "../../base/errors.ts";
import { parseDurationMs } from "../../base/text/quantities.ts";
import { parseObjectName } from "../../sandbox/ids.ts";
import { collectSandboxGarbage, describeGcPlan } from "../../sandbox/removal/collect-garbage.ts";
import { removeSnapshot } from "../../sandbox/removal/remove-snapshot.ts";
import { describeSnapshot } from "../../sandbox/snapshot/describe.ts";
import { flattenSnapshot } from "../../sandbox/snapshot/flatten.ts";
import { buildSnapshotTree, type SnapshotNode } from "../../sandbox/snapshot/tree.ts";
import { verifySnapshot } from "../../sandbox/snapshot/verify.ts";
import {
  findSnapshot,
  listSnapshots,
  mustBeReady,
  snapshotState,
} from "../../sandbox/store/snapshot-store.ts";
import { listOwnSnapshots } from "../../sandbox/store/warm-starts.ts";
import { packSnapshot, unpackSnapshot } from "../../sandbox/transfer/pack.ts";
import type { CliContext } from "../command/context.ts";
import { exitCodes } from "../command/exit-codes.ts";
import { formatTable } from "../output/terminal.ts";
import { formatAge } from "../sandbox/age.ts";
import { resolvePath, sandboxContextOf } from "../sandbox/context.ts";

interface JsonFlags {
  readonly json?: boolean;
}

export function listSnapshotsCommand(this: CliContext, flags: JsonFlags): void {
  const sandboxContext = sandboxContextOf(this);
  const all = listOwnSnapshots(sandboxContext);
  if (flags.json) {
    this.terminal.json(all.map((record) => describeSnapshot(sandboxContext, record)));
    return;
  }
  const rows = all.map((record) => [
    record.id,
    record.name ?? "",
    snapshotState(sandboxContext, record),
    record.parent?.id ?? "",
    record.memory === undefined ? "" : formatBytes(record.memory.fileBytes),
    record.pause === undefined ? "" : `${record.pause.totalMs.toFixed(1)} ms`,
    formatAge(this.clock.nowMs() - record.createdAtMs),
  ]);
  this.terminal.out(formatTable([["ID", "NAME", "STATE", "PARENT", "STORED", "PAUSE", "AGE"], ...rows]));
}

export function showSnapshot(this: CliContext, flags: JsonFlags, id: string): void {
  const sandboxContext = sandboxContextOf(this);
  const { pause: _pause, ...facts } = describeSnapshot(sandboxContext, findSnapshot(sandboxContext, id));
  if (flags.json) this.terminal.json(describeSnapshot(sandboxContext, findSnapshot(sandboxContext, id)));
  else
    this.terminal.out(
      formatTable(Object.entries(facts).map(([name, value]) => [name, String(value ?? "-")])),
    );
}

/** What depends on what. */
export function showTree(this: CliContext, flags: JsonFlags): void {
  const sandboxContext = sandboxContextOf(this);
  const roots = buildSnapshotTree(listSnapshots(sandboxContext));
  if (flags.json) {
    this.terminal.json(roots);
    return;
  }
  const show = (node: SnapshotNode, depth: number) => {
    const missing =
      node.missingParent === undefined ? "" : ` (depends on ${node.missingParent}, which is missing)`;
    this.terminal.out(`${"  ".repeat(depth)}${node.name ?? node.id}${missing}`);
    for (const child of node.children) show(child, depth + 1);
  };
  for (const root of roots) show(root, 0);
}

export async function removeSnapshots(
  this: CliContext,
  flags: JsonFlags & { readonly cascade?: boolean; readonly force?: boolean },
  ...ids: string[]
): Promise<void> {
  const sandboxContext = sandboxContextOf(this);
  if (ids.length === 0) throw new KeyframeError("usage", "name at least one snapshot");
  const removed: string[] = [];
  for (const id of ids) {
    const options = { cascade: flags.cascade === true, force: flags.force === true };
    const plan = await removeSnapshot(sandboxContext, findSnapshot(sandboxContext, id), options);
    removed.push(...plan.snapshots.map((each) => each.id), ...plan.sandboxes.map((each) => each.id));
  }
  if (flags.json) this.terminal.json({ removed });
  else for (const id of removed) this.terminal.out(id);
}

export async function flattenSaved(
  this: CliContext,
  flags: JsonFlags & { readonly name?: string },
  id: string,
): Promise<void> {
  const sandboxContext = sandboxContextOf(this);
  const options = flags.name === undefined ? {} : { name: parseObjectName(flags.name) };
  const flat = await flattenSnapshot(
    sandboxContext,
    mustBeReady(sandboxContext, findSnapshot(sandboxContext, id)),
    options,
  );
  if (flags.json) this.terminal.json(describeSnapshot(sandboxContext, flat));
  else this.terminal.out(flat.name ?? flat.id);
}

export async function verify(this: CliContext, flags: JsonFlags, id: string): Promise<void> {
  const sandboxContext = sandboxContextOf(this);
  const problems = await verifySnapshot(sandboxContext, findSnapshot(sandboxContext, id));
  if (flags.json) this.terminal.json({ ok: problems.length === 0, problems });
  else if (problems.length === 0) this.terminal.out("everything matches its digest");
  else for (const { snapshot, problem } of problems) this.terminal.out(`${snapshot}  ${problem}`);
  if (problems.length > 0) this.process.exitCode = exitCodes.damaged;
}

export async function pack(this: CliContext, flags: JsonFlags, id: string, target: string): Promise<void> {
  const sandboxContext = sandboxContextOf(this);
  const result = await packSnapshot(
    sandboxContext,
    mustBeReady(sandboxContext, findSnapshot(sandboxContext, id)),
    resolvePath(this, target),
  );
  if (flags.json) this.terminal.json({ path: target, ...result });
  else this.terminal.note(`packed ${formatBytes(result.sizeBytes)} into ${target}`);
}

export async function unpack(
  this: CliContext,
  flags: JsonFlags & { readonly name?: string },
  source: string,
): Promise<void> {
  const sandboxContext = sandboxContextOf(this);
  const name = flags.name === undefined ? undefined : parseObjectName(flags.name);
  const snapshot = await unpackSnapshot(sandboxContext, resolvePath(this, source), name);
  if (flags.json) this.terminal.json(describeSnapshot(sandboxContext, snapshot));
  else this.terminal.out(snapshot.name ?? snapshot.id);
}

export async function collectSnapshots(
  this: CliContext,
  flags: JsonFlags & { readonly olderThan?: string; readonly keep?: number; readonly dryRun?: boolean },
): Promise<void> {
  const plan = await collectSandboxGarbage(sandboxContextOf(this), {
    ...(flags.olderThan === undefined ? {} : { olderThanMs: parseDurationMs(flags.olderThan) }),
    ...(flags.keep === undefined ? {} : { keep: flags.keep }),
    dryRun: flags.dryRun === true,
  });
  const shown = describeGcPlan(plan);
  if (flags.json) this.terminal.json({ dryRun: flags.dryRun === true, ...shown });
  else
    for (const [kind, ids] of Object.entries(shown))
      for (const id of ids) this.terminal.out(`${kind}  ${id}`);
}
