import { join } from "node:path";
import { readCaptureSettings } from "../checkpoints/capture/settings.ts";
import type { Git } from "../git/git.ts";
import { type Random, randomHex } from "../system/random.ts";
import type { Moment } from "../timeline/moment.ts";
import { type BaseDeps, takeMomentBase, takeRaceBase } from "./base.ts";
import type { CheckSpec } from "./checks/check.ts";
import type { LaneSpec } from "./lane-spec.ts";
import { type LaneLimits, type RaceMachines, type RaceRecord, writeRace } from "./race-record.ts";

export interface RaceRequest {
  readonly prompt: string;
  readonly lanes: readonly LaneSpec[];
  readonly checks: readonly CheckSpec[];
  readonly setup?: string;
  readonly limitMs: number;
  readonly limits: LaneLimits;
  readonly parallel: number;
  readonly machines?: RaceMachines;
}

export interface StartRaceDeps extends BaseDeps {
  readonly random: Random;
  readonly env: NodeJS.ProcessEnv;
}

/** Takes the base and writes the race's record; no lane is made yet. */
export async function createRace(
  git: Git,
  deps: StartRaceDeps,
  { moment, ...request }: RaceRequest & { readonly moment?: Moment },
): Promise<RaceRecord> {
  const id = randomHex(deps.random, 8);
  const { redactor } = readCaptureSettings(git.repository, deps);
  const base =
    moment === undefined ? await takeRaceBase(git, deps, id) : await takeMomentBase(git, moment, id);
  const race: RaceRecord = {
    version: 1,
    id,
    at: new Date(deps.clock.nowMs()).toISOString(),
    base,
    ...request,
    title: titleOf(redactor.redactText(request.prompt)),
    directory: join(stateDirectory(deps.env), "races", id),
  };
  writeRace(git.repository, deps.files, race);
  return race;
}

/** Outside of every repository: tools that search a tree would find lanes inside. */
function stateDirectory(env: NodeJS.ProcessEnv): string {
  return join(env["XDG_STATE_HOME"] || join(env["HOME"] || "/", ".local", "state"), "keyframe");
}

const maxTitleLength = 72;

function titleOf(prompt: string): string {
  const line =
    prompt
      .split("\n")
      .find((each) => each.trim() !== "")
      ?.trim() ?? "Work of a race";
  return line.length <= maxTitleLength ? line : `${line.slice(0, maxTitleLength - 1)}…`;
}
