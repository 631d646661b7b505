// Covers src/cli/settle/**.
import { afterEach, beforeEach, expect, test } from "vitest";
import { startAgentSession } from "../support/agent-session.ts";
import { createTestRepository, type TestRepository } from "../support/test-repository.ts";

let repository: TestRepository;
beforeEach(() => {
  repository = createTestRepository();
  repository.write("a", "1\n");
  repository.commit("one");
  repository.keyframe(["enable"]);
});
afterEach(() => repository.remove());

/** A commit with a conversation whose hook is killed before it stores that; returns the id that the commit names. */
async function commitWithKilledHook(path: string): Promise<string> {
  const agent = startAgentSession(repository, `session-${path}`);
  await agent.prompt(`write ${path}`);
  await agent.write(path, `${path}\n`);
  agent.say("done");
  await agent.stop();
  repository.env["KEYFRAME_FAULT"] = "build-checkpoint:before-store";
  repository.commit(`add ${path}`);
  delete repository.env["KEYFRAME_FAULT"];
  return /Entire-Checkpoint: (\S+)/.exec(repository.git("log", "-1", "--format=%B"))?.[1] ?? "";
}

test("list, search, tokens and push show what a killed hook left as if it had run", async () => {
  const answer = <T>(...args: string[]) => JSON.parse(repository.keyframe([...args, "--json"]).stdout) as T;
  const first = await commitWithKilledHook("b");
  expect(answer<{ id: string }[]>("list").map(({ id }) => id)).toEqual([first]);
  const second = await commitWithKilledHook("c");
  expect(answer<{ hits: { id: string }[] }>("search", "write c").hits.map(({ id }) => id)).toContain(second);
  await commitWithKilledHook("d");
  expect(answer<{ checkpoints: number }[]>("tokens").map(({ checkpoints }) => checkpoints)).toEqual([3]);
  const last = await commitWithKilledHook("e");
  const remote = `${repository.folder}/../remote.git`;
  repository.git("init", "-q", "--bare", remote);
  expect(repository.keyframe(["push", remote]).code).toBe(0);
  const pushed = repository.git("--git-dir", remote, "ls-tree", "-r", "--name-only", "entire/checkpoints/v1");
  expect(pushed).toContain(`${last.slice(0, 2)}/${last.slice(2)}/metadata.json`);
});
