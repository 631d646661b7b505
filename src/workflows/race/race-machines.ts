import { errorText } from "../../base/errors.ts";
import type { Git } from "../../git/git.ts";
import { isOid } from "../../git/ids.ts";
import { updateRefs } from "../../git/refs/refs.ts";
import type { RaceMachines, RaceRecord } from "../../race/race-record.ts";
import { openGuestSession } from "../../sandbox/guest/session.ts";
import { branchSandbox } from "../../sandbox/lifecycle/branch.ts";
import { networkOf } from "../../sandbox/network/rules.ts";
import { removeSandbox } from "../../sandbox/removal/remove-sandbox.ts";
import { removeSnapshot } from "../../sandbox/removal/remove-snapshot.ts";
import type { SandboxContext } from "../../sandbox/store/home.ts";
import { listSandboxes } from "../../sandbox/store/sandbox-store.ts";
import { listSnapshots } from "../../sandbox/store/snapshot-store.ts";
import type { Files } from "../../system/files/files.ts";
import {
  type MachineRun,
  readMachineRun,
  removeMachineRun,
  runRefs,
  writeMachineRun,
} from "../../timeline/machines/machine-run.ts";
import { guestScript } from "../machine/guest-shell.ts";
import { type MachineDeps, makeMachine, settingsIn } from "../machine/start-machine.ts";

/** The run, and the machine, of a lane of a race. */
export function machineName({ id }: Pick<RaceRecord, "id">, lane: string): string {
  return `race-${id}-${lane}`;
}

/** The machine that those of all lanes are copies of. */
function sourceName({ id }: Pick<RaceRecord, "id">): string {
  return `race-${id}`;
}

function allNames(race: RaceRecord): string[] {
  return [
    sourceName(race),
    ...["base", ...race.lanes.map(({ name }) => name)].map((name) => machineName(race, name)),
  ];
}

export interface BaseMachine {
  readonly run: MachineRun;
  readonly snapshot: string;
}

interface BaseRequest {
  readonly race: RaceRecord;
  readonly machines: RaceMachines;
  /** Agents that will work in copies of it. */
  readonly tools: readonly string[];
}

/**
 * A machine with the race's files, Keyframe and the agents' hooks, in which the setup command has run, saved; the machine
 * itself ends. One that an earlier process saved is used again.
 */
export async function prepareBase(
  git: Git,
  deps: MachineDeps & { readonly say: (text: string) => void },
  request: BaseRequest,
): Promise<BaseMachine> {
  const name = sourceName(request.race);
  const known = readMachineRun(git.repository, deps.files, name);
  const saved = known?.moments.at(-1)?.snapshot;
  if (known !== undefined && saved !== undefined && isThere(deps.sandboxContext, saved))
    return { run: known, snapshot: saved };
  await forgetLaneMachine(git, deps, name);
  const { run, record } = await makeMachine(git, deps, machineRequest(git, deps, request));
  await setUp(deps, request.race, { run, record });
  const writing = await branchSandbox(deps.sandboxContext, record.id);
  const { id: snapshot } = await writing.durable;
  const at = new Date(deps.clock.nowMs()).toISOString();
  const ready = { ...run, moments: [{ commit: request.race.base.commit, snapshot, at }] };
  writeMachineRun(git.repository, deps.files, ready);
  await removeSandbox(deps.sandboxContext, record);
  return { run: ready, snapshot };
}

function machineRequest(
  git: Git,
  { env, say }: MachineDeps & { readonly say: (text: string) => void },
  { race, machines, tools }: BaseRequest,
): Parameters<typeof makeMachine>[2] {
  const { base } = race;
  return {
    name: sourceName(race),
    from: machines.image,
    tool: tools[0] ?? "unknown",
    tools,
    ...(machines.allow.length === 0 ? {} : { network: networkOf(machines.allow) }),
    ...(machines.memoryMiB === undefined ? {} : { memoryMiB: machines.memoryMiB }),
    ...(machines.cpus === undefined ? {} : { cpus: machines.cpus }),
    files: Object.assign({}, ...tools.map((tool) => settingsIn(git, env, tool))),
    base: base.head,
    ...(base.branch === undefined ? {} : { branch: base.branch }),
    tree: base.tree,
    indexTree: base.indexTree,
    progress: say,
  };
}

async function setUp(
  { sandboxContext }: MachineDeps,
  { setup }: RaceRecord,
  { run, record }: Awaited<ReturnType<typeof makeMachine>>,
): Promise<void> {
  if (setup === undefined) return;
  const session = await openGuestSession(sandboxContext, record);
  try {
    await guestScript(session.guest, setup, { cwd: run.directory, to: "run the setup command" });
  } finally {
    await session.close();
  }
}

function isThere(sandboxContext: SandboxContext, snapshot: string): boolean {
  return listSnapshots(sandboxContext).some(({ id, state }) => id === snapshot && state === "ready");
}

/** What an attempt that was cut off left of a lane: its machine, and what came out of it. */
export async function forgetLaneMachine(
  git: Git,
  { sandboxContext, files }: { readonly sandboxContext: SandboxContext; readonly files: Files },
  name: string,
): Promise<void> {
  for (const record of listSandboxes(sandboxContext))
    if (record.name === name) await removeSandbox(sandboxContext, record);
  const refs = (await git.text(["for-each-ref", "--format=%(objectname) %(refname)", runRefs(name)]))
    .split("\n")
    .flatMap((line) => {
      const [oid = "", ref = ""] = line.split(" ");
      return isOid(oid) ? [{ ref, expected: oid, next: undefined }] : [];
    });
  if (refs.length > 0) await updateRefs(git, refs, "keyframe: forget a run");
  removeMachineRun(git.repository, files, name);
}

/** Ends what a race has running, and removes what lanes would begin from; what came out of lanes stays. */
export async function endRaceMachines(
  git: Git,
  { sandboxContext, files, say }: MachineDeps & { readonly say: (text: string) => void },
  race: RaceRecord,
): Promise<void> {
  try {
    const names: ReadonlySet<string> = new Set(allNames(race));
    for (const record of listSandboxes(sandboxContext))
      if (record.name !== undefined && names.has(record.name)) await removeSandbox(sandboxContext, record);
    const base = readMachineRun(git.repository, files, sourceName(race));
    const saved = base?.moments.at(-1)?.snapshot;
    const record = listSnapshots(sandboxContext).find(({ id }) => id === saved);
    if (record !== undefined) await removeSnapshot(sandboxContext, record, {});
  } catch (error) {
    say(`machines of race ${race.id} were not removed: ${errorText(error)}`);
  }
}

/** The same with all that came out of them. */
export async function dropRaceMachines(
  git: Git,
  deps: MachineDeps & { readonly say: (text: string) => void },
  race: RaceRecord,
): Promise<void> {
  await endRaceMachines(git, deps, race);
  for (const name of allNames(race)) await forgetLaneMachine(git, deps, name);
}
