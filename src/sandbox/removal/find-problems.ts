import { join } from "node:path";
import { errorText, isKeyframeError } from "../../base/errors.ts";
import { parseSandboxId, parseSnapshotId } from "../ids.ts";
import { ensureSidecar, needsSidecar, sidecarLock } from "../network/sidecar-client.ts";
import { lockInHome, type SandboxContext } from "../store/home.ts";
import {
  readImageRecord,
  readSandboxRecord,
  readSnapshotRecord,
  type SandboxRecord,
} from "../store/records.ts";
import { attachMachine, listSandboxes, sandboxRecordPath, sandboxState } from "../store/sandbox-store.ts";
import { snapshotFiles } from "../store/snapshot-store.ts";
import { collectSandboxGarbage, type GcPlan } from "./collect-garbage.ts";

export interface SandboxProblem {
  readonly kind:
    | "damaged-record"
    | "dead-sandbox"
    | "abandoned-snapshot"
    | "unused-file"
    | "stale-socket"
    | "paused-machine"
    | "unreachable-machine"
    | "missing-sidecar";
  /** An id or a path. */
  readonly subject: string;
  readonly what: string;
  /** What `doctor --repair` does about it; absent: a person has to look. */
  readonly repair?: string;
}

/**
 * Everything in the home of sandboxes that is not as a sound state would be; with `repair`, what can be put right is.
 * A record that cannot be read stops the collecting of what nothing refers to: it may refer to it.
 */
export async function findSandboxProblems(
  context: SandboxContext,
  { repair }: { readonly repair: boolean },
): Promise<readonly SandboxProblem[]> {
  const damaged = findDamagedRecords(context);
  if (damaged.length > 0) return damaged;
  const problems: SandboxProblem[] = [];
  for (const record of listSandboxes(context)) {
    const state = sandboxState(context, record);
    if (state === "running") problems.push(...(await lookAtMachine(context, record, repair)));
    if (state === "dead" && record.status === "running") problems.push(describeDead(record));
    if (state === "stopped") problems.push(...findStaleSockets(context, record, repair));
  }
  return [...problems, ...describePlan(context, await collectSandboxGarbage(context, { dryRun: !repair }))];
}

/** Its disk holds work: no repair removes it. */
function describeDead(record: SandboxRecord): SandboxProblem {
  const label = record.name ?? record.id;
  return {
    kind: "dead-sandbox",
    subject: record.id,
    what: `its machine ended without being stopped: \`keyframe sandbox resume ${label}\` starts it from its disk, \`keyframe sandbox rm ${label}\` removes it`,
  };
}

function findDamagedRecords(context: SandboxContext): SandboxProblem[] {
  const { files, home } = context;
  const names = (folder: "sandboxes" | "snapshots" | "images") =>
    (files.listIfExists(home.folder(folder)) ?? []).map(({ name }) => name);
  const reads = [
    ...names("sandboxes")
      .flatMap((name) => parseSandboxId(name) ?? [])
      .map((id) => () => readSandboxRecord(files, sandboxRecordPath(context, id))),
    ...names("snapshots")
      .flatMap((name) => parseSnapshotId(name) ?? [])
      .map((id) => () => readSnapshotRecord(files, snapshotFiles(context, id).record)),
    ...names("images").map((name) => () => readImageRecord(files, join(home.folder("images"), name))),
  ];
  return reads.flatMap((read): SandboxProblem[] => {
    try {
      read();
      return [];
    } catch (error) {
      if (!isKeyframeError(error, "damaged")) throw error;
      return [{ kind: "damaged-record", subject: home.root, what: errorText(error) }];
    }
  });
}

/** A machine that nobody is saving and that does not run, or that does not answer; a sidecar that was killed. */
async function lookAtMachine(
  context: SandboxContext,
  record: SandboxRecord,
  repair: boolean,
): Promise<SandboxProblem[]> {
  const lock = await lockInHome(context, `sandbox-${record.id}`, 0).catch((error: unknown) => {
    if (!isKeyframeError(error, "lock-busy")) throw error;
  });
  if (lock === undefined) return []; // it is being saved: it may be stopped for a moment
  const problems: SandboxProblem[] = [];
  const subject = record.id;
  try {
    const machine = await attachMachine(context, record);
    try {
      if (!(await machine.isRunning())) {
        const what = "its machine is stopped, and nobody is saving it";
        problems.push({ kind: "paused-machine", subject, what, repair: "continue it" });
        if (repair) await machine.resume();
      }
    } finally {
      machine.detach();
    }
  } catch (error) {
    return [{ kind: "unreachable-machine", subject, what: errorText(error) }];
  } finally {
    await lock.release();
  }
  if (await lacksSidecar(context, record)) {
    const what = "the process that carries its network, its ports or its idle limit is gone";
    problems.push({ kind: "missing-sidecar", subject, what, repair: "start it again" });
    if (repair) await ensureSidecar(context, record);
  }
  return problems;
}

async function lacksSidecar(context: SandboxContext, record: SandboxRecord): Promise<boolean> {
  if (!needsSidecar(context, record)) return false;
  try {
    await (await lockInHome(context, sidecarLock(record.id), 0)).release();
    return true;
  } catch (error) {
    if (!isKeyframeError(error, "lock-busy")) throw error;
    return false; // it holds its lock
  }
}

/** A machine that was killed leaves its sockets; nothing listens on those of a stopped sandbox. */
function findStaleSockets(context: SandboxContext, record: SandboxRecord, repair: boolean): SandboxProblem[] {
  const folder = context.home.sandboxFolder(record.id);
  const sockets = (context.files.listIfExists(folder) ?? []).filter(({ name }) => name.endsWith(".sock"));
  return sockets.map(({ name }) => {
    const path = join(folder, name);
    if (repair) context.files.remove(path);
    return {
      kind: "stale-socket",
      subject: path,
      what: "nothing listens on it: its sandbox is stopped",
      repair: "remove it",
    };
  });
}

function describePlan(context: SandboxContext, plan: GcPlan): SandboxProblem[] {
  const repair = "remove it";
  const unused = (subject: string, what: string): SandboxProblem => ({
    kind: "unused-file",
    subject,
    what,
    repair,
  });
  return [
    ...plan.sandboxes.map(
      ({ id }): SandboxProblem => ({
        kind: "dead-sandbox",
        subject: id,
        what: "its machine never ran, or ended while it was kept ready",
        repair,
      }),
    ),
    ...plan.snapshots.map(
      ({ id, state }): SandboxProblem =>
        state === "writing"
          ? {
              kind: "abandoned-snapshot",
              subject: id,
              what: "it was never completed: its writer ended",
              repair,
            }
          : unused(id, "a saved state whose sandbox is gone"),
    ),
    ...plan.diskLayers.map((id) => unused(id, "a disk layer that nothing refers to")),
    ...plan.memoryImages.map((id) =>
      unused(context.home.memoryImage(id), "a memory image that nothing runs from"),
    ),
    ...plan.staging.map((name) =>
      unused(join(context.home.folder("staging"), name), "unfinished work of a dead process"),
    ),
    ...plan.strays.map((path) => unused(path, "it has no record")),
  ];
}
