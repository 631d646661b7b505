import { afterEach, beforeEach, expect, test } from "vitest";
import { openCheckpointStores } from "../../src/checkpoints/stores/open-stores.ts";
import { openGit } from "../../src/git/git.ts";
import { mustFindRepository } from "../../src/git/repository.ts";
import { nodeMachine } from "../../src/system/machine/machine.ts";
import { nodeProcesses } from "../../src/system/process/processes.ts";
import { startAgentSession } from "../support/agent-session.ts";
import { idOf, smallCheckpoint, writeOptions } from "../support/small-checkpoints.ts";
import { createTestRepository, type TestRepository } from "../support/test-repository.ts";

let repository: TestRepository;
beforeEach(() => {
  repository = createTestRepository();
  repository.write("README", "hello\n");
  repository.commit("start");
});
afterEach(() => repository.remove());

const list = () => JSON.parse(repository.keyframe(["list", "--json"]).stdout);
const explain = (word: string) => JSON.parse(repository.keyframe(["explain", word, "--json"]).stdout);

test("an amend with new work keeps the prompts of the work before", async () => {
  expect(repository.keyframe(["enable"]).code).toBe(0);
  const session = startAgentSession(repository, "s-amend");
  const turn = async (prompt: string, path: string) => {
    await session.prompt(prompt);
    await session.write(path, `${path}\n`);
    session.say("Done.");
    await session.stop();
    repository.git("add", "-A");
  };
  await turn("Implement the following plan:\n# Add p", "p");
  repository.gitBytes(["commit", "-q", "-m", "p"]);
  await turn("add q as well", "q");
  repository.gitBytes(["commit", "-q", "--amend", "--no-edit"]);
  const [amended] = list();
  expect(amended).toMatchObject({ title: "Add p", filesTouched: ["p", "q"] });
  expect(explain("HEAD").sessions[0].prompts).toEqual([
    "Implement the following plan:\n# Add p",
    "add q as well",
  ]);
  expect(repository.keyframe(["explain", "HEAD", "--short"]).stdout).toContain("Intent: Add p\n");
  await turn("and r", "r");
  repository.gitBytes(["commit", "-q", "-m", "r"]);
  expect(list().map(({ title }: { title: string }) => title)).toEqual(["and r", "Add p"]);
});

test("of records that hold the prompts of a whole session, those that led to the checkpoint count", async () => {
  const git = openGit(mustFindRepository(repository.folder, nodeMachine), nodeProcesses);
  const stores = openCheckpointStores(git);
  const prompts = ["first thing", "second thing", "third thing"];
  const record = (number: number) => {
    const write = smallCheckpoint(idOf(number), {
      sessionId: "whole",
      transcript: ["{}"],
      createdAt: `2026-02-0${number}T00:00:00Z`,
    });
    const text = prompts.slice(0, number).join("\n\n---\n\n");
    return {
      ...write,
      sessions: write.sessions.map((one) => ({ ...one, prompt: { bytes: Buffer.from(text) } })),
    };
  };
  await stores.v1.write([record(1), record(2), record(3)], writeOptions);
  const rows = list().map((one: { title: string; prompt: string }) => [one.title, one.prompt]);
  expect(rows).toEqual([...prompts].reverse().map((prompt) => [prompt, prompt]));
  expect(repository.keyframe(["explain", idOf(3), "--short"]).stdout).toContain("Intent: third thing\n");
});

test("a first turn that is under way is listed with its prompt", async () => {
  expect(repository.keyframe(["enable"]).code).toBe(0);
  await startAgentSession(repository, "s-running").prompt("Find out why it is slow");
  const { sessions } = JSON.parse(repository.keyframe(["session", "list", "--json"]).stdout);
  expect(sessions).toMatchObject([{ id: "s-running", prompt: "Find out why it is slow" }]);
});
