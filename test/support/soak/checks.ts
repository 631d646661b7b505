import { execFileSync, spawnSync } from "node:child_process";
import {
  listCheckpointPlaces,
  type ReadSession,
  readCheckpoints,
} from "../../../src/checkpoints/query/read-checkpoints.ts";
import { openTranscriptReader } from "../../../src/checkpoints/query/read-transcript.ts";
import type { CheckpointId } from "../../../src/checkpoints/record/ids.ts";
import { withFetched } from "../../../src/checkpoints/remote/fetch/fetched-stores.ts";
import { openCheckpointStores } from "../../../src/checkpoints/stores/open-stores.ts";
import { borrowFetched } from "../../../src/git/fetched-objects.ts";
import { openGit } from "../../../src/git/git.ts";
import { mustFindRepository } from "../../../src/git/repository.ts";
import { nodeMachine } from "../../../src/system/machine/machine.ts";
import { createTestRepository, type TestRepository } from "../test-repository.ts";
import type { World } from "./world.ts";

export function lookAtGit({ places, remote }: World): string[] {
  const problems: string[] = [];
  for (const folder of [remote, ...places.map(({ repository }) => repository.folder)]) {
    const args = ["fsck", "--full", "--no-dangling", "--no-progress"];
    const { stdout, stderr, status } = spawnSync("git", args, { cwd: folder, encoding: "utf8" });
    const said = `${stdout}${stderr}`.replaceAll(/^notice:.*\n/gm, "");
    if (status !== 0 || said !== "") problems.push(`fsck of ${folder}: ${status} ${said}`);
  }
  return problems;
}

/** What each clone, and one that has nothing but the remote, finds of everything. */
export async function lookAtConversations(world: World): Promise<string[]> {
  const fresh = createTestRepository({ cloneOf: world.remote });
  try {
    const { problems, seen } = await lookFrom(world, "a new clone", fresh);
    problems.push(...compareWithWritten(world, seen));
    for (const id of trailersOf(world))
      if (!seen.has(id as CheckpointId)) problems.push(`a commit names ${id}, which is nowhere`);
    for (const { name, repository } of world.places)
      problems.push(...(await lookFrom(world, `clone ${name}`, repository)).problems);
    return problems;
  } finally {
    fresh.remove();
  }
}

type Seen = ReadonlyMap<CheckpointId, ReadonlyMap<string, string>>;

async function lookFrom({ made }: World, name: string, repository: TestRepository) {
  const problems: string[] = [];
  const everything = [...made].flatMap((id) => ["--checkpoint", id]);
  const commands = [
    ["fetch", ...everything],
    ["explain", [...made].at(-1) ?? ""],
  ];
  for (const args of commands) {
    const { code, stderr } = repository.keyframe(args);
    if (code !== 0) problems.push(`${name}: ${args[0]} ended with ${code}: ${stderr}`);
  }
  const seen: Seen = await readConversations(repository, (problem) => problems.push(`${name}: ${problem}`));
  for (const id of made)
    if (!seen.has(id as CheckpointId)) problems.push(`${name}: checkpoint ${id} is not there`);
  return { problems, seen };
}

function compareWithWritten({ conversations }: World, seen: Seen): string[] {
  const problems: string[] = [];
  const stored = new Set<string>();
  for (const [id, sessions] of seen) {
    for (const [sessionId, text] of sessions) {
      stored.add(`${sessionId} ${text}`);
      if (!conversations.isBegin(sessionId, text))
        problems.push(`session ${sessionId} in ${id} is not what its agent wrote`);
    }
  }
  for (const { sessionId, text } of conversations.whole())
    if (!stored.has(`${sessionId} ${text}`))
      problems.push(`session ${sessionId} of ${text.length} characters is nowhere stored to its end`);
  return problems;
}

/** Transcripts of each checkpoint by session. */
async function readConversations(
  { folder, env }: TestRepository,
  tell: (problem: string) => void,
): Promise<Seen> {
  const own = openGit(mustFindRepository(folder, nodeMachine), nodeMachine.processes, env);
  const git = borrowFetched(own, nodeMachine.files);
  const places = await listCheckpointPlaces(withFetched(openCheckpointStores(own), own, nodeMachine.files));
  const transcripts = openTranscriptReader(git);
  const found = new Map<CheckpointId, Map<string, string>>();
  try {
    for (const { id, root, sessions } of await readCheckpoints(git, places)) {
      if (typeof root === "string") tell(`metadata of ${id}: ${root}`);
      const texts = new Map<string, string>();
      for (const session of sessions) {
        const sessionId = typeof session.metadata === "string" ? undefined : session.metadata.sessionId;
        if (sessionId === undefined) tell(`a session of ${id} cannot be read`);
        else texts.set(sessionId, await readWhole(transcripts, id, session, tell));
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
  tell: (problem: string) => void,
): Promise<string> {
  const pieces: Buffer[] = [];
  try {
    for await (const piece of transcripts.open(id, files)) pieces.push(piece);
  } catch (error) {
    tell(`transcript of ${id}: ${String(error)}`);
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
