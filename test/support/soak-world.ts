import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import {
  listCheckpointPlaces,
  type ReadSession,
  readCheckpoints,
} from "../../src/checkpoints/query/read-checkpoints.ts";
import { openTranscriptReader } from "../../src/checkpoints/query/read-transcript.ts";
import type { CheckpointId } from "../../src/checkpoints/record/ids.ts";
import { withFetched } from "../../src/checkpoints/remote/fetch/fetched-stores.ts";
import { openCheckpointStores } from "../../src/checkpoints/stores/open-stores.ts";
import { borrowFetched } from "../../src/git/fetched-objects.ts";
import { openGit } from "../../src/git/git.ts";
import { mustFindRepository } from "../../src/git/repository.ts";
import { nodeMachine } from "../../src/system/machine/machine.ts";
import { type AgentSession, startAgentSession } from "./agent-session.ts";
import { createTestRepository, type TestRepository } from "./test-repository.ts";

/** A secret of a well-known form, which agents of this world print now and then. */
const secret = "AKIAABCDEFGHIJKLMNOP";
const redacted = "REDACTED";

/** Random numbers from a seed: the same steps each time. */
export function createRandom(seed: number) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    chance: (share: number) => next() < share,
    pick: <T>(items: readonly T[]): T => items[Math.floor(next() * items.length)] as T,
  };
}

type Random = ReturnType<typeof createRandom>;

/** What one clone holds while the world goes on. */
interface Place {
  readonly name: string;
  readonly repository: TestRepository;
  session: AgentSession;
  turns: number;
}

export interface SoakOptions {
  readonly seed: number;
  readonly steps: number;
  readonly filter: boolean;
  /** Where processes may be killed. */
  readonly faults: readonly string[];
}

export interface SoakReport {
  readonly log: readonly string[];
  readonly checkpoints: number;
  readonly problems: readonly string[];
}

/**
 * Three clones of one remote in which agents and people work at random: turns, commits, amends, rebases, squashes, fetches,
 * resumes, pushes, gc and repack, each process killed now and then. At the end everything is brought to the remote, and
 * what must hold is looked at.
 */
export async function runSoak({ seed, steps, filter, faults }: SoakOptions): Promise<SoakReport> {
  const root = mkdtempSync(join(tmpdir(), "kf-soak-"));
  const random = createRandom(seed);
  const remote = join(root, "remote.git");
  makeRemote(remote, filter);
  const places = ["a", "b", "c"].map((name): Place => {
    const repository = createTestRepository({ cloneOf: remote });
    repository.keyframe(["enable"]);
    return { name, repository, session: startAgentSession(repository, `${name}-0`), turns: 0 };
  });
  const world: World = { random, remote, places, faults, log: [], sessions: new Map(), made: new Set() };
  for (const { session } of places) world.sessions.set(session.id, session.transcriptPath);
  try {
    for (let step = 0; step < steps; step += 1) await oneStep(world, random.pick(places));
    for (const place of places) await endWork(world, place);
    for (let round = 0; round < 3; round += 1) for (const place of places) bringTogether(world, place);
    return {
      log: world.log,
      checkpoints: world.made.size,
      problems: [...lookAtGit(world), ...(await lookAtConversations(world))],
    };
  } finally {
    for (const { repository } of places) repository.remove();
    rmSync(root, { recursive: true, force: true });
  }
}

interface World {
  readonly random: Random;
  readonly remote: string;
  readonly places: readonly Place[];
  readonly faults: readonly string[];
  readonly log: string[];
  /** Where the agents keep each conversation. */
  readonly sessions: Map<string, string>;
  /** Every checkpoint that was ever stored. */
  readonly made: Set<string>;
}

type Action = (world: World, place: Place) => Promise<void> | void;

const actions: readonly (readonly [string, Action])[] = [
  ["turn", turn],
  ["turn", turn],
  ["commit", commit],
  ["turn and commit", turnAndCommit],
  ["turn and commit", turnAndCommit],
  ["amend", amend],
  ["rebase", rebase],
  ["squash", squash],
  ["push", push],
  ["push", push],
  ["keyframe push", (_, place) => void keyframe(place, "push")],
  ["keyframe fetch", (_, place) => void keyframe(place, "fetch")],
  ["git fetch", (_, place) => void git(place, "fetch", "-q", "origin")],
  ["resume", resume],
  ["gc", (_, place) => void git(place, "gc", "-q", "--prune=now")],
  ["repack", (_, place) => void git(place, "repack", "-q", "-a", "-d")],
  ["clean", (_, place) => void keyframe(place, "clean", "--force")],
  ["new session", newSession],
];

async function oneStep(world: World, place: Place): Promise<void> {
  const [name, act] = world.random.pick(actions);
  const point = world.random.chance(0.25) ? world.random.pick(world.faults) : undefined;
  const line = `${place.name}: ${name}${point === undefined ? "" : `, killed at ${point}`}`;
  world.log.push(line);
  if (point !== undefined) place.repository.env["KEYFRAME_FAULT"] = point;
  try {
    await act(world, place);
  } finally {
    delete place.repository.env["KEYFRAME_FAULT"];
  }
  noteMade(world, place);
}

async function turn(world: World, place: Place): Promise<void> {
  const { session, name } = place;
  place.turns += 1;
  // a process for each hook only where it may be killed: in this one they are faster
  const through = place.repository.env["KEYFRAME_FAULT"] === undefined ? session : viaProgram(place);
  const said = world.random.chance(0.3) ? ` with ${secret}` : "";
  await through.prompt(`task ${place.turns} of ${session.id}${said}`);
  const file = `${name}/${world.random.pick(["one", "two", "three"])}.txt`;
  await through.write(file, `${textOf(place, file)}line ${place.turns} by ${session.id}\n`);
  session.say(`did task ${place.turns}`);
  await through.stop();
}

function viaProgram({ repository, session }: Place): AgentSession {
  const patient: TestRepository = {
    ...repository,
    // killed, a hook says nothing and the agent goes on
    keyframe: (args, options) => ({ ...repository.keyframe(args, options), code: 0, stdout: "", stderr: "" }),
  };
  return startAgentSession(patient, session.id, { through: "program" });
}

function textOf({ repository }: Place, file: string): string {
  try {
    return readFileSync(join(repository.folder, file), "utf8");
  } catch {
    return "";
  }
}

function commit(_: World, place: Place): void {
  git(place, "add", "-A");
  git(place, "commit", "-q", "-m", `work of ${place.name} after ${place.turns} turns`);
}

async function turnAndCommit(world: World, place: Place): Promise<void> {
  await turn(world, place);
  commit(world, place);
}

async function amend(world: World, place: Place): Promise<void> {
  if (aheadOfRemote(place) === 0) return;
  await turn(world, place);
  git(place, "add", "-A");
  git(place, "commit", "-q", "--amend", "--no-edit");
}

function rebase(_: World, place: Place): void {
  git(place, "fetch", "-q", "origin");
  if (git(place, "rebase", "-q", "--autostash", "origin/main") !== 0) git(place, "rebase", "--abort");
}

function squash(_: World, place: Place): void {
  if (aheadOfRemote(place) < 2) return;
  const messages = read(place, "log", "-2", "--format=%B");
  git(place, "reset", "-q", "--soft", "HEAD~2");
  git(place, "commit", "-q", "-m", `squashed\n\n${messages}`);
}

function push(world: World, place: Place): void {
  if (git(place, "push", "-q", "origin", "HEAD:main") === 0) return;
  rebase(world, place);
  git(place, "push", "-q", "origin", "HEAD:main");
}

function resume(world: World, place: Place): void {
  if (world.made.size > 0) keyframe(place, "resume", world.random.pick([...world.made]));
}

function newSession(world: World, place: Place): void {
  const id = `${place.name}-${place.turns}-${world.sessions.size}`;
  place.session = startAgentSession(place.repository, id);
  world.sessions.set(id, place.session.transcriptPath);
}

/** One more turn, undisturbed, of the session at work; and all that waits is stored. */
async function endWork(world: World, place: Place): Promise<void> {
  await turnAndCommit(world, place);
  await place.session.end();
  keyframe(place, "settle");
  keyframe(place, "doctor", "--repair");
  noteMade(world, place);
}

function bringTogether(world: World, place: Place): void {
  push(world, place);
  mustEnd(world, place, "push");
  mustEnd(world, place, "fetch");
  noteMade(world, place);
}

function mustEnd(world: World, place: Place, command: string): void {
  const { code, stderr } = place.repository.keyframe([command]);
  if (code !== 0) world.log.push(`${place.name}: keyframe ${command} ended with ${code}: ${stderr}`);
}

function lookAtGit({ places, remote }: World): string[] {
  const problems: string[] = [];
  for (const folder of [remote, ...places.map(({ repository }) => repository.folder)]) {
    const { stdout, stderr, status } = spawnSync(
      "git",
      ["fsck", "--full", "--no-dangling", "--no-progress"],
      {
        cwd: folder,
        encoding: "utf8",
      },
    );
    const said = `${stdout}${stderr}`.replaceAll(/^notice:.*\n/gm, "");
    if (status !== 0 || said !== "") problems.push(`fsck of ${folder}: ${status} ${said}`);
  }
  return problems;
}

/** What a fresh clone finds of everything: it has nothing but the remote. */
async function lookAtConversations(world: World): Promise<string[]> {
  const problems: string[] = [];
  const fresh = createTestRepository({ cloneOf: world.remote });
  try {
    const everything = [...world.made].flatMap((id) => ["--checkpoint", id]);
    const fetched = fresh.keyframe(["fetch", ...everything]);
    if (fetched.code !== 0) problems.push(`a fresh clone cannot fetch everything: ${fetched.stderr}`);
    const seen = await readConversations(fresh, problems);
    for (const id of world.made) if (!seen.has(id)) problems.push(`checkpoint ${id} is not at the remote`);
    for (const id of trailersOf(world))
      if (!seen.has(id)) problems.push(`a commit names ${id}, which is nowhere`);
    const longest = new Map<string, number>();
    for (const [id, sessions] of seen) {
      for (const [sessionId, text] of sessions) {
        const said = saidBy(world, sessionId);
        if (!said.startsWith(text))
          problems.push(`session ${sessionId} in ${id} is not what its agent wrote`);
        longest.set(sessionId, Math.max(longest.get(sessionId) ?? 0, text.length));
      }
    }
    for (const { session } of world.places) {
      if (longest.get(session.id) !== saidBy(world, session.id).length)
        problems.push(
          `of session ${session.id} ${longest.get(session.id)} of ${saidBy(world, session.id).length} characters are stored`,
        );
    }
  } finally {
    fresh.remove();
  }
  return problems;
}

function saidBy({ sessions }: World, sessionId: string): string {
  const path = sessions.get(sessionId);
  return path === undefined ? "" : readFileSync(path, "utf8").replaceAll(secret, redacted);
}

/** Transcripts of each checkpoint by session. */
async function readConversations(
  { folder, env }: TestRepository,
  problems: string[],
): Promise<Map<string, Map<string, string>>> {
  const own = openGit(mustFindRepository(folder, nodeMachine), nodeMachine.processes, env);
  const git = borrowFetched(own, nodeMachine.files);
  const places = await listCheckpointPlaces(withFetched(openCheckpointStores(own), own, nodeMachine.files));
  const transcripts = openTranscriptReader(git);
  const found = new Map<string, Map<string, string>>();
  try {
    for (const { id, root, sessions } of await readCheckpoints(git, places)) {
      if (typeof root === "string") problems.push(`metadata of ${id}: ${root}`);
      const texts = new Map<string, string>();
      for (const session of sessions) {
        const sessionId = typeof session.metadata === "string" ? undefined : session.metadata.sessionId;
        if (sessionId === undefined) problems.push(`a session of ${id} cannot be read`);
        else texts.set(sessionId, await readWhole(transcripts, id, session, problems));
      }
      found.set(id, texts);
    }
  } finally {
    await transcripts.close();
  }
  return found;
}

async function readWhole(
  transcripts: ReturnType<typeof openTranscriptReader>,
  id: CheckpointId,
  { files }: ReadSession,
  problems: string[],
): Promise<string> {
  const pieces: Buffer[] = [];
  try {
    for await (const piece of transcripts.open(id, files)) pieces.push(piece);
  } catch (error) {
    problems.push(`transcript of ${id}: ${String(error)}`);
  }
  return Buffer.concat(pieces).toString("utf8");
}

function trailersOf({ places, remote }: World): Set<string> {
  const named = new Set<string>();
  for (const cwd of [remote, ...places.map(({ repository }) => repository.folder)]) {
    const args = ["log", "--branches", "--remotes", "--format=%(trailers:key=Entire-Checkpoint,valueonly)"];
    for (const id of execFileSync("git", args, { cwd, encoding: "utf8" }).split("\n"))
      if (id !== "") named.add(id);
  }
  return named;
}

function noteMade(world: World, place: Place): void {
  const listing = read(place, "ls-tree", "-r", "--name-only", "refs/heads/entire/checkpoints/v1");
  for (const match of listing.matchAll(/^([0-9a-f]{2})\/([0-9a-f]{10})\/metadata\.json$/gm))
    world.made.add(`${match[1]}${match[2]}`);
}

function aheadOfRemote(place: Place): number {
  return Number(read(place, "rev-list", "--count", "origin/main..HEAD") || 0);
}

function keyframe({ repository }: Place, ...args: string[]): number {
  return repository.keyframe(args).code;
}

/** The exit code. What git says, and whether it can, is not looked at: people run into conflicts as well. */
function git({ repository }: Place, ...args: string[]): number {
  return spawnSync("git", args, { cwd: repository.folder, env: repository.env, stdio: "pipe" }).status ?? -1;
}

function read({ repository }: Place, ...args: string[]): string {
  const { stdout } = spawnSync("git", args, {
    cwd: repository.folder,
    env: repository.env,
    encoding: "utf8",
  });
  return stdout.trim();
}

function makeRemote(remote: string, filter: boolean): void {
  const seed = createTestRepository();
  try {
    seed.write("README", "hello\n");
    seed.commit("start");
    mkdirSync(dirname(remote), { recursive: true });
    seed.git("clone", "-q", "--bare", seed.folder, remote);
    execFileSync("git", ["config", "uploadpack.allowFilter", String(filter)], { cwd: remote });
    execFileSync("git", ["config", "uploadpack.allowAnySHA1InWant", String(filter)], { cwd: remote });
    writeFileSync(join(remote, "description"), "soak\n");
  } finally {
    seed.remove();
  }
}
