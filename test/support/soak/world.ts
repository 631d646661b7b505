import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { listCheckpointPlaces } from "../../../src/checkpoints/query/read-checkpoints.ts";
import type { StoreKind } from "../../../src/checkpoints/record/checkpoint-tree.ts";
import { openCheckpointStores } from "../../../src/checkpoints/stores/open-stores.ts";
import { openGit } from "../../../src/git/git.ts";
import { mustFindRepository } from "../../../src/git/repository.ts";
import { nodeMachine } from "../../../src/system/machine/machine.ts";
import { createTestRepository } from "../test-repository.ts";
import { actions, push, turnAndCommit } from "./actions.ts";
import { lookAtConversations, lookAtGit } from "./checks.ts";
import { Conversations } from "./conversations.ts";
import { Place, removeGitLocks } from "./place.ts";
import { createRandom, type Random } from "./random.ts";

export interface SoakOptions {
  readonly seed: number;
  readonly steps: number;
  readonly filter: boolean;
  readonly store: StoreKind;
  /** Where processes may be killed. */
  readonly faults: readonly string[];
  /** Also kill at any moment, which no seed repeats. */
  readonly killAnywhere: boolean;
}

export interface SoakReport {
  readonly log: readonly string[];
  readonly checkpoints: number;
  readonly problems: readonly string[];
}

export interface World {
  readonly random: Random;
  readonly remote: string;
  readonly places: readonly Place[];
  readonly log: string[];
  readonly conversations: Conversations;
  /** How many were begun beside the first of each clone. */
  sessions: number;
  /** Every checkpoint that was ever stored. */
  readonly made: Set<string>;
}

/**
 * Three clones of one remote in which agents and people work at random: turns, commits, amends, rebases, squashes, fetches,
 * resumes, pushes, gc and repack, each process killed now and then. At the end everything is brought to the remote, and
 * what must hold is looked at.
 */
export async function runSoak(options: SoakOptions): Promise<SoakReport> {
  const root = mkdtempSync(join(tmpdir(), "kf-soak-"));
  const remote = join(root, "remote.git");
  makeRemote(remote, options.filter);
  const places = ["a", "b", "c"].map((name) => makePlace(name, remote, options.store));
  const random = createRandom(options.seed);
  const conversations = new Conversations();
  const world: World = { random, remote, places, log: [], conversations, sessions: 0, made: new Set() };
  try {
    for (let step = 0; step < options.steps; step += 1) await oneStep(world, random.pick(places), options);
    for (const place of places) await endWork(world, place);
    for (let round = 0; round < 2; round += 1)
      for (const place of places) await bringTogether(world, place, round);
    const { log, made } = world;
    const problems = [...lookAtGit(world), ...(await lookAtConversations(world))];
    return { log, checkpoints: made.size, problems: [...conversations.problems, ...problems] };
  } finally {
    for (const { repository } of places) repository.remove();
    rmSync(root, { recursive: true, force: true });
  }
}

function makeRemote(remote: string, filter: boolean): void {
  const seed = createTestRepository();
  try {
    seed.write("README", "hello\n");
    seed.commit("start");
    seed.git("clone", "-q", "--bare", seed.folder, remote);
    for (const setting of [
      `uploadpack.allowFilter=${filter}`,
      `uploadpack.allowAnySHA1InWant=${filter}`,
      "gc.autoDetach=false",
    ])
      execFileSync("git", ["config", ...setting.split("=")], { cwd: remote });
  } finally {
    seed.remove();
  }
}

function makePlace(name: string, remote: string, store: StoreKind): Place {
  const repository = createTestRepository({ cloneOf: remote });
  // nothing goes on behind a step
  for (const setting of ["gc.autoDetach", "maintenance.autoDetach"])
    repository.git("config", setting, "false");
  repository.keyframe(["enable"]);
  const settings = join(repository.folder, ".git/keyframe");
  mkdirSync(settings, { recursive: true });
  writeFileSync(join(settings, "settings.json"), JSON.stringify({ checkpoints: { store } }));
  return new Place(name, repository);
}

async function oneStep(world: World, place: Place, { faults, killAnywhere }: SoakOptions): Promise<void> {
  const [name, act] = world.random.pick(actions);
  const point = world.random.chance(0.25) ? world.random.pick(faults) : undefined;
  const killAfterMs = killAnywhere && world.random.chance(0.15) ? world.random.below(700) + 1 : undefined;
  const disturbance = point ?? (killAfterMs === undefined ? undefined : `${killAfterMs} ms`);
  world.log.push(`${place.name}: ${name}${disturbance === undefined ? "" : `, killed at ${disturbance}`}`);
  if (point !== undefined) place.repository.env["KEYFRAME_FAULT"] = point;
  else place.killAfterMs = killAfterMs;
  try {
    await act(world, place);
  } finally {
    delete place.repository.env["KEYFRAME_FAULT"];
    place.killAfterMs = undefined;
    if (killAfterMs !== undefined) removeGitLocks(world.remote);
  }
  await noteMade(world, place);
}

/** One more turn, undisturbed, of the session at work; and all that waits is stored. */
async function endWork(world: World, place: Place): Promise<void> {
  await turnAndCommit(world, place);
  await place.session.end();
  place.keyframe("settle");
  place.keyframe("doctor", "--repair");
  await noteMade(world, place);
}

async function bringTogether(world: World, place: Place, round: number): Promise<void> {
  push(place);
  for (const command of ["push", "fetch"]) {
    const { code, stderr } = place.repository.keyframe([command]);
    if (code === 0) continue;
    const said = `${place.name}: keyframe ${command} of round ${round} ended with ${code}: ${stderr}`;
    world.log.push(said);
    if (round > 0) world.conversations.problems.push(said);
  }
  await noteMade(world, place);
}

async function noteMade(world: World, { repository: { folder, env } }: Place): Promise<void> {
  const git = openGit(mustFindRepository(folder, nodeMachine), nodeMachine.processes, env);
  for (const id of (await listCheckpointPlaces(openCheckpointStores(git))).keys()) world.made.add(id);
}
