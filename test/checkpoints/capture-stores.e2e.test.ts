// Covers src/checkpoints/capture/**.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { explainCheckpoint } from "../../src/checkpoints/query/explain.ts";
import { findCheckpointPlaces } from "../../src/checkpoints/query/read-checkpoints.ts";
import { openTranscriptReader } from "../../src/checkpoints/query/read-transcript.ts";
import { sessionsOf } from "../../src/checkpoints/record/checkpoint-tree.ts";
import { parseCheckpointId } from "../../src/checkpoints/record/ids.ts";
import { openCheckpointStores, storeKinds } from "../../src/checkpoints/stores/open-stores.ts";
import { openGit } from "../../src/git/git.ts";
import { mustFindRepository } from "../../src/git/repository.ts";
import { nodeMachine } from "../../src/system/machine/machine.ts";
import { nodeProcesses } from "../../src/system/process/processes.ts";
import { startAgentSession } from "../support/agent-session.ts";
import { createTestRepository, type TestRepository } from "../support/test-repository.ts";

let repository: TestRepository;
beforeEach(() => {
  repository = createTestRepository();
  repository.write("README", "hello\n");
  repository.commit("start");
  expect(repository.keyframe(["enable"]).code).toBe(0);
});
afterEach(() => repository.remove());

const setOwn = (settings: object) => {
  const path = join(repository.folder, ".git/keyframe/settings.json");
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, JSON.stringify(settings));
};
const commit = (...args: string[]) => {
  repository.git("add", "-A");
  repository.gitBytes(["commit", "-q", ...args]);
  const trailers = repository.git("log", "-1", "--format=%(trailers:key=Entire-Checkpoint,valueonly)");
  return trailers.split("\n").filter((line) => line !== "");
};
const problems = () => JSON.parse(repository.keyframe(["status", "--json"]).stdout).problems;
const openGitHere = () =>
  openGit(mustFindRepository(repository.folder, nodeMachine), nodeProcesses, repository.env);

/** What the stores say of a checkpoint that capture has written, through their one interface. */
async function stored(id = "") {
  const git = openGitHere();
  const stores = openCheckpointStores(git);
  const places = await findCheckpointPlaces(stores, parseCheckpointId(id));
  if (places === undefined) throw new Error(`${id} is not stored`);
  const { explanation } = await explainCheckpoint(git, parseCheckpointId(id), places);
  const [tree] = places;
  const reader = openTranscriptReader(git);
  const transcripts: string[] = [];
  for (const files of sessionsOf(tree)) {
    const pieces: Buffer[] = [];
    for await (const piece of reader.open(tree.id, files)) pieces.push(piece);
    transcripts.push(Buffer.concat(pieces).toString("utf8"));
  }
  await reader.close();
  const text = async (path: string) => {
    const oid = tree.files.get(path);
    return oid === undefined ? undefined : repository.git("cat-file", "blob", oid);
  };
  return { kinds: places.map(({ store }) => store), explanation, transcripts, tree, text };
}

describe.each(storeKinds)("capture into %s", (kind) => {
  beforeEach(() => setOwn({ checkpoints: { store: kind } }));

  test("stores a commit's conversation, and all of the turn once it ends", async () => {
    const session = startAgentSession(repository, "s-1", { through: "program" });
    await session.prompt("first prompt");
    await session.write("a.txt", "one\n");
    const [id] = commit("-m", "in the turn");
    session.say("words after the commit");
    await session.stop();
    const { kinds, explanation, transcripts, text } = await stored(id);
    expect(kinds).toEqual([kind]);
    expect(explanation).toMatchObject({ filesTouched: ["a.txt"] });
    expect(transcripts).toEqual([readFileSync(session.transcriptPath, "utf8")]);
    const hashName = kind === "v2" ? "raw_transcript_hash.txt" : "content_hash.txt";
    const digest = createHash("sha256").update(transcripts[0] ?? "");
    expect(await text(`0/${hashName}`)).toBe(`sha256:${digest.digest("hex")}`);
    expect(await text("0/prompt.txt")).toBe("first prompt");
    expect(problems()).toEqual([]);
  });

  test("a second commit has its own scope, an amend adds to the checkpoint that is there", async () => {
    const session = startAgentSession(repository, "s-1");
    await session.prompt("make a");
    await session.write("a.txt", "one\n");
    await session.stop();
    const [first] = commit("-m", "a");
    await session.prompt("make b");
    await session.write("b.txt", "two\n");
    await session.stop();
    const [second] = commit("-m", "b");
    expect(second).not.toBe(first);
    await session.prompt("and c");
    await session.write("c.txt", "three\n");
    await session.stop();
    expect(commit("--amend", "--no-edit")).toEqual([second]);
    const { kinds, explanation, transcripts, text } = await stored(second);
    expect(kinds).toEqual([kind]);
    expect(explanation.filesTouched).toEqual(["b.txt", "c.txt"]);
    expect(transcripts).toEqual([readFileSync(session.transcriptPath, "utf8")]);
    const metadata = JSON.parse((await text("0/metadata.json")) ?? "");
    const raw = kind === "v2" ? metadata.raw_transcript_start : metadata.checkpoint_transcript_start;
    expect(raw).toBe(3);
    expect((await stored(first)).explanation.filesTouched).toEqual(["a.txt"]);
    expect(problems()).toEqual([]);
  });

  test("two sessions share a commit's checkpoint", async () => {
    for (const id of ["s-1", "s-2"]) {
      const session = startAgentSession(repository, id);
      await session.prompt(`make ${id}`);
      await session.write(`${id}.txt`, `${id}\n`);
      await session.stop();
    }
    const [id] = commit("-m", "both");
    const { explanation } = await stored(id);
    expect(explanation.filesTouched).toEqual(["s-1.txt", "s-2.txt"]);
    expect(new Set(explanation.sessions.map(({ sessionId }) => sessionId))).toEqual(new Set(["s-1", "s-2"]));
  });
});

test("version 2 gets the compact transcript, with the checkpoint's start in its lines", async () => {
  setOwn({ checkpoints: { store: "v2" } });
  const session = startAgentSession(repository, "s-1");
  await session.prompt("make a");
  await session.write("a.txt", "one\n");
  session.say("made");
  await session.stop();
  commit("-m", "a");
  await session.prompt("make b");
  await session.write("b.txt", "two\n");
  session.say("made too");
  await session.stop();
  const [id] = commit("-m", "b");
  const { text } = await stored(id);
  const compact = (await text("0/transcript.jsonl")) ?? "";
  const lines = compact.split("\n").map((line) => JSON.parse(line));
  const metadata = JSON.parse((await text("0/metadata.json")) ?? "");
  expect(lines[metadata.checkpoint_transcript_start]).toMatchObject({
    type: "user",
    agent: "claude-code",
    content: [{ text: "make b" }],
  });
  expect(compact).toContain("made too");
  const digest = createHash("sha256").update(`${compact}\n`).digest("hex");
  expect(await text("0/transcript_hash.txt")).toBe(`sha256:${digest}`);
});

test("a checkpoint stays where it is when the setting changes", async () => {
  const session = startAgentSession(repository, "s-1");
  await session.prompt("make a");
  await session.write("a.txt", "one\n");
  const [id] = commit("-m", "in the turn");
  setOwn({ checkpoints: { store: "refs" } });
  session.say("last words");
  await session.stop();
  await session.prompt("more");
  await session.write("b.txt", "two\n");
  await session.stop();
  expect(commit("--amend", "--no-edit")).toEqual([id]);
  const { kinds, explanation, transcripts } = await stored(id);
  expect(kinds).toEqual(["v1"]);
  expect(explanation.filesTouched).toEqual(["a.txt", "b.txt"]);
  expect(transcripts[0]).toContain("last words");
  expect(repository.git("for-each-ref", "refs/entire")).toBe("");
  expect(problems()).toEqual([]);
});
