import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { startAgentSession } from "../agent-session.ts";
import { secret } from "./conversations.ts";
import type { Place } from "./place.ts";
import type { World } from "./world.ts";

type Action = (world: World, place: Place) => Promise<void> | void;

/** What people and agents do, the more often the more lines here. */
export const actions: readonly (readonly [string, Action])[] = [
  ["turn", turn],
  ["turn", turn],
  ["commit", (_, place) => commit(place)],
  ["turn and commit", turnAndCommit],
  ["turn and commit", turnAndCommit],
  ["turn and commit", turnAndCommit],
  ["commit without hooks", commitWithoutHooks],
  ["amend", amend],
  ["reword", reword],
  ["fixup", fixup],
  ["rebase", (_, place) => rebase(place)],
  ["squash", squash],
  ["stash and pop", stash],
  ["push", (_, place) => push(place)],
  ["push", (_, place) => push(place)],
  ["keyframe push", (_, place) => void place.keyframe("push")],
  ["keyframe fetch", (_, place) => void place.keyframe("fetch")],
  ["git fetch", (_, place) => void place.git("fetch", "-q", "origin")],
  ["fetch of everything", fetchEverything],
  ["resume", resume],
  ["resume and go on", resumeAndGoOn],
  ["gc", (_, place) => void place.git("gc", "-q", "--prune=now")],
  ["repack", (_, place) => void place.git("repack", "-q", "-a", "-d")],
  ["clean", (_, place) => void place.keyframe("clean", "--force")],
  ["new session", newSession],
];

async function turn(world: World, place: Place): Promise<void> {
  const { session, name } = place;
  place.turns += 1;
  const disturbed = place.killAfterMs !== undefined || place.repository.env["KEYFRAME_FAULT"] !== undefined;
  // a process for each hook only where it may be killed: in this one they are faster
  const through = disturbed ? place.sessionWithPrograms() : session;
  const said = world.random.chance(0.3) ? ` with ${secret}` : "";
  await through.prompt(`task ${place.turns} of ${session.id}${said}`);
  const file = `${name}/${world.random.pick(["one", "two", "three"])}.txt`;
  await through.write(file, `${textOf(place, file)}line ${place.turns} by ${session.id} at ${name}\n`);
  session.say(`did task ${place.turns}`);
  await through.stop();
  world.conversations.hear(session.id, session.transcriptPath, { disturbed });
}

function textOf({ repository }: Place, file: string): string {
  try {
    return readFileSync(join(repository.folder, file), "utf8");
  } catch {
    return ""; // not written yet
  }
}

function commit(place: Place, ...options: readonly string[]): void {
  place.read("add", "-A");
  place.git(...options, "commit", "-q", "-m", `work of ${place.name} after ${place.turns} turns`);
}

export async function turnAndCommit(world: World, place: Place): Promise<void> {
  await turn(world, place);
  commit(place);
}

async function commitWithoutHooks(world: World, place: Place): Promise<void> {
  await turn(world, place);
  commit(place, "-c", "core.hooksPath=/dev/null");
}

async function amend(world: World, place: Place): Promise<void> {
  if (aheadOfRemote(place) === 0) return;
  await turn(world, place);
  place.read("add", "-A");
  place.git("commit", "-q", "--amend", "--no-edit");
}

/** The message goes, and its trailer with it. */
function reword(_: World, place: Place): void {
  if (aheadOfRemote(place) > 0) place.git("commit", "-q", "--amend", "--only", "-m", "said in other words");
}

async function fixup(world: World, place: Place): Promise<void> {
  if (aheadOfRemote(place) < 2) return;
  await turn(world, place);
  place.read("add", "-A");
  place.git("commit", "-q", "--fixup", "HEAD");
  place.repository.env["GIT_SEQUENCE_EDITOR"] = "true";
  if (place.read("rebase", "-q", "-i", "--autosquash", "--autostash", "HEAD~2") !== "")
    place.read("rebase", "--abort");
}

export function rebase(place: Place): void {
  place.git("fetch", "-q", "origin");
  if (place.git("rebase", "-q", "--autostash", "origin/main") !== 0) place.git("rebase", "--abort");
}

function squash(world: World, place: Place): void {
  if (aheadOfRemote(place) < 2) return;
  const messages = world.random.chance(0.5) ? `\n\n${place.read("log", "-2", "--format=%B")}` : "";
  place.read("reset", "-q", "--soft", "HEAD~2");
  place.git("commit", "-q", "-m", `squashed${messages}`);
}

function stash(_: World, place: Place): void {
  if (place.git("stash", "push", "-q", "--include-untracked") === 0) place.read("stash", "pop", "-q");
}

export function push(place: Place): void {
  if (place.git("push", "-q", "origin", "HEAD:main") === 0) return;
  rebase(place);
  place.git("push", "-q", "origin", "HEAD:main");
}

function fetchEverything({ made }: World, place: Place): void {
  const wanted = [...made].flatMap((id) => ["--checkpoint", id]);
  if (wanted.length > 0) place.keyframe("fetch", ...wanted);
}

function resume(world: World, place: Place): void {
  if (world.made.size === 0) return;
  place.keyframe("resume", world.random.pick([...world.made]));
  world.conversations.hearAll(dirname(place.session.transcriptPath));
}

/** Whoever resumed works on in a conversation of somebody else. */
async function resumeAndGoOn(world: World, place: Place): Promise<void> {
  resume(world, place);
  const here = world.conversations.sessionsIn(dirname(place.session.transcriptPath));
  const id = world.random.pick(here.length === 0 ? [place.session.id] : here);
  place.session = startAgentSession(place.repository, id);
  await turnAndCommit(world, place);
}

function newSession(world: World, place: Place): void {
  world.sessions += 1;
  place.session = startAgentSession(place.repository, `${place.name}-${world.sessions}`);
}

function aheadOfRemote(place: Place): number {
  return Number(place.read("rev-list", "--count", "origin/main..HEAD") || 0);
}
