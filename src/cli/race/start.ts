import { join } from "node:path";
import { KeyframeError } from "../../base/errors.ts";
import { parseByteSize } from "../../base/text/quantities.ts";
import type { Git } from "../../git/git.ts";
import { parseBench, parseCheck } from "../../race/checks/check.ts";
import { type LaneSpec, parseLanes } from "../../race/lane-spec.ts";
import {
  type LaneLimits,
  type LaneStatus,
  type RaceMachines,
  type RaceRecord,
  raceDirectory,
  readLane,
} from "../../race/race-record.ts";
import { hasPassed, raceRows } from "../../race/race-table.ts";
import type { OpenLaneRooms } from "../../race/run/lane-room.ts";
import type { RaceDeps } from "../../race/run/run-lane.ts";
import { runRace } from "../../race/run/run-race.ts";
import { openWorktreeRooms } from "../../race/run/worktree-rooms.ts";
import { createRace } from "../../race/start-race.ts";
import { isSwitchedOff } from "../../state/switch.ts";
import { nodeCopyTree } from "../../system/files/copy-tree.ts";
import { endMarked, startContained } from "../../system/process/contained-process.ts";
import { startDetached } from "../../system/process/detached-process.ts";
import { mustFindMoment } from "../../timeline/moments/find-moment.ts";
import { mustHaveKeys, openMachineRooms } from "../../workflows/race/machine-rooms.ts";
import type { CliContext } from "../command/context.ts";
import { openRepositoryGit } from "../command/open-repository.ts";
import { formatTable, printable } from "../output/terminal.ts";
import { machineMemory } from "../run/run-in-sandbox.ts";
import { sandboxContextOf } from "../sandbox/context.ts";
import { lanesOf, mustFindRace } from "./find-race.ts";
import type { StartFlags } from "./race-command.ts";
import { raceTable } from "./table.ts";

const defaultLimitMs = 20 * 60_000;
const maxPromptBytes = 1024 * 1024;

/** `keyframe race start` */
export async function startRace(this: CliContext, flags: StartFlags, moment?: string): Promise<void> {
  const git = openRepositoryGit(this);
  if (git.repository.workTree === undefined)
    throw new KeyframeError("refused", "a bare repository has no files to race with");
  if (isSwitchedOff(git.repository, this.files))
    throw new KeyframeError("refused", "Keyframe is off in this repository", {
      hint: "run `keyframe enable`",
    });
  const lanes = parseLanes(flags.lane ?? [], flags.count);
  const race = await createRace(git, this, {
    prompt: readPrompt(this, flags),
    lanes,
    checks: [...(flags.check ?? []).map(parseCheck), ...(flags.bench ?? []).map(parseBench)],
    ...(flags.setup === undefined ? {} : { setup: flags.setup }),
    limitMs: flags.limit === undefined ? defaultLimitMs : parseTime(flags.limit),
    limits: parseLimits(flags),
    parallel: Math.min(Math.max(1, flags.parallel ?? 2), 16),
    ...machinesOf(this, flags, lanes),
    ...(moment === undefined ? {} : { moment: await mustFindMoment(git, this.files, moment) }),
  });
  if (flags.detach) return detach(this, git, { race, json: flags.json === true });
  await runInForeground(this, git, { race, json: flags.json === true });
}

/** `keyframe race continue <id>` */
export async function superviseRace(this: CliContext, _flags: object, id: string): Promise<void> {
  const git = openRepositoryGit(this);
  await runInForeground(this, git, { race: mustFindRace(git, this.files, id), json: false });
}

async function detach(
  context: CliContext,
  git: Git,
  { race, json }: { readonly race: RaceRecord; readonly json: boolean },
): Promise<void> {
  const { node, entry } = context.program;
  const logPath = join(raceDirectory(git.repository, race.id), "race.log");
  const cwd = git.repository.workTree ?? context.cwd;
  const { pid } = await startDetached(node, [entry, "race", "continue", race.id], {
    logPath,
    cwd,
    env: context.env,
  });
  if (json) {
    context.terminal.json({ id: race.id, pid, log: logPath });
    return;
  }
  context.terminal.out(`race ${race.id} runs in the background`);
  context.terminal.out(`Follow it: keyframe race show ${race.id} --watch`);
}

async function runInForeground(
  context: CliContext,
  git: Git,
  { race, json }: { readonly race: RaceRecord; readonly json: boolean },
): Promise<void> {
  const stop = new AbortController();
  const onInterrupt = () => stop.abort();
  process.once("SIGINT", onInterrupt);
  process.once("SIGTERM", onInterrupt);
  const deps: RaceDeps = {
    ...context,
    copyTree: nodeCopyTree,
    signal: stop.signal,
    onChange: (lane) => {
      if (!json) context.terminal.note(describeChange(lane));
    },
  };
  if (!json) context.terminal.out(`race ${race.id}: ${race.lanes.map(({ name }) => name).join(", ")}`);
  try {
    await runRace(git, deps, { race, openRooms: roomsOf(context, git, { deps, race }) });
  } finally {
    process.off("SIGINT", onInterrupt);
    process.off("SIGTERM", onInterrupt);
  }
  const base = readLane(git.repository, context.files, { id: race.id, name: "base" });
  const rows = raceRows(race, base, lanesOf(git, context.files, race));
  if (json) context.terminal.json({ ...race, rows });
  else context.terminal.out(`\n${formatTable(raceTable(context, race, rows))}`);
  if (!json && hasPassed(rows)) context.terminal.out("\nAdopt one: keyframe race adopt <lane>");
  if (!hasPassed(rows)) context.process.exitCode = 1;
}

/** Where the lanes of a race work, as it was started. */
function roomsOf(
  context: CliContext,
  git: Git,
  { deps, race }: { readonly deps: RaceDeps; readonly race: RaceRecord },
): OpenLaneRooms {
  const { machines } = race;
  if (machines === undefined)
    return (stoppable) => {
      const start = stoppable(startContained);
      return openWorktreeRooms(git, { ...deps, endContained: endMarked }, { race, start });
    };
  const say = (text: string) => context.terminal.note(`keyframe: ${printable(text)}`);
  const machineDeps = { ...context, sandboxContext: sandboxContextOf(context), say };
  return (stoppable) => openMachineRooms(git, machineDeps, { race, machines, stoppable });
}

/** @throws KeyframeError `usage` */
function machinesOf(
  context: CliContext,
  { in: where, image, allow, memory, cpus }: StartFlags,
  lanes: readonly LaneSpec[],
): { readonly machines?: RaceMachines } {
  if (where !== "sandbox") {
    if ([image, allow, memory, cpus].every((each) => each === undefined)) return {};
    throw new KeyframeError("usage", "--image, --allow, --memory and --cpus need --in sandbox");
  }
  if (image === undefined)
    throw new KeyframeError("usage", "--in sandbox needs --image", {
      hint: "`keyframe image build dev --agent claude` makes one",
    });
  mustHaveKeys(context.env, lanes);
  return {
    machines: {
      image,
      allow: allow ?? [],
      ...machineMemory(sandboxContextOf(context), image, memory),
      ...(cpus === undefined ? {} : { cpus }),
    },
  };
}

function describeChange({ name, state, filesBy, problem, exitCode }: LaneStatus): string {
  const code = exitCode === undefined || exitCode === 0 ? "" : `, exit code ${exitCode}`;
  const how = state === "preparing" && filesBy !== undefined ? `, files by ${filesBy}` : "";
  return `${name}: ${state}${how}${code}${problem === undefined ? "" : `: ${problem}`}`;
}

function readPrompt(context: CliContext, { prompt, promptFile }: StartFlags): string {
  if ((prompt === undefined) === (promptFile === undefined))
    throw new KeyframeError("usage", "pass either --prompt or --prompt-file");
  if (prompt !== undefined) return prompt;
  const path = promptFile === "-" ? "/dev/stdin" : join(context.cwd, promptFile ?? "");
  const bytes = context.files.read(promptFile?.startsWith("/") ? promptFile : path);
  if (bytes.length > maxPromptBytes)
    throw new KeyframeError("too-large", `the prompt is larger than ${maxPromptBytes} bytes`);
  return bytes.toString("utf8");
}

function parseLimits({ tokens, turns, processes, disk }: StartFlags): LaneLimits {
  return {
    ...(tokens === undefined ? {} : { tokens: parseCount(tokens) }),
    ...(turns === undefined ? {} : { turns }),
    ...(processes === undefined ? {} : { processes }),
    ...(disk === undefined ? {} : { diskBytes: parseByteSize(disk) }),
  };
}

function parseCount(text: string): number {
  const [, count = "", unit = ""] = /^(\d{1,9}(?:\.\d{1,3})?)([kM]?)$/.exec(text) ?? [];
  const factor = { "": 1, k: 1000, M: 1_000_000 }[unit];
  if (count === "" || factor === undefined)
    throw new KeyframeError("usage", `not a number of tokens: ${text}`, { hint: "write it as 500k or 2M" });
  return Math.round(Number(count) * factor);
}

function parseTime(text: string): number {
  const [, count, unit = "m"] = /^(\d{1,6})(s|m|h)?$/.exec(text) ?? [];
  const factor = { s: 1000, m: 60_000, h: 3_600_000 }[unit];
  if (count === undefined || factor === undefined || Number(count) === 0)
    throw new KeyframeError("usage", `not a time: ${text}`, { hint: "write it as 90s, 20m or 2h" });
  return Number(count) * factor;
}
