import { basename } from "node:path";
import { hasKnownEndpoint } from "../../agents/model-endpoints.ts";
import { errorText } from "../../base/errors.ts";
import type { Git } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";
import { readLaneFacts } from "../../race/lanes/lane-facts.ts";
import { laneMessage, nameLaneCommit } from "../../race/lanes/record-lane-work.ts";
import { laneLogPath, laneMarker, type RaceMachines, type RaceRecord } from "../../race/race-record.ts";
import {
  type Lane,
  type LaneRoom,
  type LaneRooms,
  laneVariables,
  type OpenLaneRooms,
} from "../../race/run/lane-room.ts";
import type { GuestChannel } from "../../sandbox/guest/channel.ts";
import { openGuestSession } from "../../sandbox/guest/session.ts";
import { removeSandbox } from "../../sandbox/removal/remove-sandbox.ts";
import type { SandboxContext } from "../../sandbox/store/home.ts";
import { findSandbox } from "../../sandbox/store/sandbox-store.ts";
import { type MachineRun, runConversation } from "../../timeline/machines/machine-run.ts";
import { bringFiles } from "../machine/bring-files.ts";
import { type BroughtOut, bringOut } from "../machine/bring-out.ts";
import { guestEnvironment, guestScript } from "../machine/guest-shell.ts";
import { forkMachine, type MachineDeps, mustHaveKey, type StartedMachine } from "../machine/start-machine.ts";
import { readUseInGuest, sessionsBroughtOut } from "./conversations-in-guest.ts";
import { GuestReports } from "./guest-reports.ts";
import { endRaceMachines, forgetLaneMachine, machineName, prepareBase } from "./race-machines.ts";
import { startInGuest } from "./start-in-guest.ts";

const temporary = "/tmp/keyframe-lane";

export interface MachineRoomsDeps extends MachineDeps {
  /** Says what is done, and what could not be. */
  readonly say: (text: string) => void;
}

export interface MachineRace {
  readonly race: RaceRecord;
  readonly machines: RaceMachines;
  readonly stoppable: Parameters<OpenLaneRooms>[0];
}

/**
 * Lanes in machines of their own, all of them copies of one that has the base's files and in which the setup command has
 * run. What a lane commits comes out with its owners and conversations; the machines go when the race has ended.
 */
export async function openMachineRooms(
  git: Git,
  deps: MachineRoomsDeps,
  { race, machines, stoppable }: MachineRace,
): Promise<LaneRooms> {
  const base = await prepareBase(git, deps, { race, machines, tools: mustHaveKeys(deps.env, race.lanes) });
  const enter = async (lane: Lane): Promise<LaneRoom> => {
    const run = { parent: base.run, snapshot: base.snapshot, name: machineName(race, lane.name) };
    await forgetLaneMachine(git, deps, run.name);
    const machine = await forkMachine(git, deps, { ...run, tool: toolOf(lane), allow: machines.allow });
    return openRoom(git, deps, { race, lane, machine, stoppable });
  };
  return { filesBy: "machine", enter, close: () => endRaceMachines(git, deps, race) };
}

/** The agents of lanes, each once. @throws KeyframeError `refused` where the key of one is missing */
export function mustHaveKeys(
  env: NodeJS.ProcessEnv,
  lanes: readonly Pick<Lane, "name" | "command">[],
): readonly string[] {
  const tools = [...new Set(lanes.flatMap((lane) => toolOf(lane) ?? []))];
  for (const tool of tools) mustHaveKey(env, tool);
  return tools;
}

/** The agent behind a lane, where it is one that can be led to its model from a machine: by its program, or by the lane's name. */
function toolOf({ name, command }: Pick<Lane, "name" | "command">): string | undefined {
  if (command === undefined) return undefined;
  const program = basename(command.trim().split(/\s/)[0] ?? "");
  return [program, name.replace(/-\d+$/, "")].find(hasKnownEndpoint);
}

interface MachineLane {
  readonly race: RaceRecord;
  readonly lane: Lane;
  readonly machine: StartedMachine;
}

interface StoppableLane extends MachineLane, Pick<MachineRace, "stoppable"> {}

async function openRoom(git: Git, deps: MachineRoomsDeps, where: StoppableLane): Promise<LaneRoom> {
  const { sandboxContext, files } = deps;
  const { race, lane, machine } = where;
  const leave = () => leaveMachine(deps, machine);
  const session = await openGuestSession(sandboxContext, machine.record).catch(async (error: unknown) => {
    await leave();
    throw error;
  });
  const { guest } = session;
  const { directory } = machine.run;
  await guestScript(guest, `mkdir -p ${temporary}`, { to: "make a temporary directory" });
  const writtenBefore = diskBytes(sandboxContext, machine);
  let out: BroughtOut | undefined;
  return {
    start: where.stoppable((command, options) => startInGuest(files, guest, { command, options })),
    commands: {
      directory,
      env: { ...guestEnvironment, ...machine.env, ...laneVariables(race, lane), TMPDIR: temporary },
      logPath: laneLogPath(git.repository, race.id, lane.name),
      marker: laneMarker(race.id, lane.name),
      reports: new GuestReports(guest, directory),
    },
    watched: {
      hasWritten: (bytes) => Promise.resolve(diskBytes(sandboxContext, machine) - writtenBefore > bytes),
      readUse: () => readUseInGuest(guest, toolOf(lane)),
    },
    isSetUp: true,
    async recordWork() {
      out = await takeWork(git, deps, { ...where, guest });
      return out.head === race.base.head ? undefined : out.head;
    },
    readFacts: (commit) =>
      readLaneFacts(git, deps, { race, commit, sessions: sessionsOf(git, deps, machine.run, out) }),
    async leave() {
      await session.close();
      await leave();
    },
  };
}

/** What the writable layer of a machine's disk takes. */
function diskBytes(sandboxContext: SandboxContext, { record }: StartedMachine): number {
  const [top] = findSandbox(sandboxContext, record.id).disk;
  const path = top === undefined ? undefined : sandboxContext.home.diskLayer(top.id, top.kind);
  return (path === undefined ? undefined : sandboxContext.files.statIfExists(path)?.sizeBytes) ?? 0;
}

/** Commits in the machine what its lane has left uncommitted, and brings out what it has. */
async function takeWork(
  git: Git,
  deps: MachineRoomsDeps,
  { race, lane, machine, guest }: MachineLane & { readonly guest: GuestChannel },
): Promise<BroughtOut> {
  const { base } = race;
  const script = [
    "git add --all",
    `if [ "$(git rev-parse HEAD)" = ${base.head} ] && [ "$(git write-tree)" = ${base.tree} ]; then exit 0; fi`,
    '[ "$(git write-tree)" = "$(git rev-parse "HEAD^{tree}")" ] ||',
    '  printf %s "$message" | git -c commit.gpgSign=false commit --quiet -F -',
    "keyframe settle >/dev/null || true",
  ].join("\n");
  const options = { cwd: machine.run.directory, env: { message: laneMessage(race, lane.name) } };
  await guestScript(guest, script, { ...options, to: "commit what its lane left" });
  const out = await bringOut(git, deps, machine.run, { branch: false });
  const brought = { files: deps.files, guest, run: machine.run };
  for (const problem of await bringFiles(git.repository, brought, out.turns))
    deps.say(`${lane.name}: ${problem}`);
  if (out.head !== base.head) await nameLaneCommit(git, { race, name: lane.name, commit: out.head as Oid });
  return out;
}

function sessionsOf(
  { repository }: Git,
  { files }: MachineRoomsDeps,
  run: MachineRun,
  out: BroughtOut | undefined,
) {
  const tools = new Map((out?.turns ?? []).map(({ session, tool }) => [session, tool]));
  const sessions = [...tools].map(([id, tool]) => ({
    tool,
    id,
    path: runConversation(repository, run.name, id),
  }));
  return sessionsBroughtOut(files, sessions);
}

async function leaveMachine(
  { sandboxContext, say }: MachineRoomsDeps,
  { run, record, proxy }: StartedMachine,
): Promise<void> {
  try {
    await proxy?.close();
    await removeSandbox(sandboxContext, findSandbox(sandboxContext, record.id));
  } catch (error) {
    say(`the machine ${run.name} was not removed: ${errorText(error)}`);
  }
}
