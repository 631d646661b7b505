import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
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

const v1 = "entire/checkpoints/v1";
const secret = "acme_1234567890";
const rule = { name: "acme", prefix: "acme_", characters: "0-9", minLength: 8, maxLength: 20 };
const settings = JSON.stringify({ redaction: { rules: [rule] } });
const commit = (message: string) => {
  repository.git("add", "-A");
  repository.gitBytes(["commit", "-q", "-m", message]);
  return repository.git("log", "-1", "--format=%(trailers:key=Entire-Checkpoint,valueonly)").trim();
};
const problems = () =>
  JSON.parse(repository.keyframe(["status", "--json"]).stdout).problems as { what: string }[];

/** Everything that would be pushed: contents, names and messages. */
function everythingStored(): string {
  const listed = repository.git("rev-list", "--objects", v1);
  const ids = listed.split("\n").map((line) => line.split(" ")[0]);
  const contents = repository.gitBytes(["cat-file", "--batch"], { input: `${ids.join("\n")}\n` });
  return `${listed}\n${contents.toString("latin1")}`;
}

test("the team's rules reach transcript, prompt, paths, branch name and subagents, also at the end of the turn", async () => {
  repository.write(".keyframe/settings.json", settings);
  repository.commit("settings");
  repository.git("switch", "-qc", `fix/${secret}`);
  const session = startAgentSession(repository, "s-1", { through: "program" });
  await session.prompt(`use ${secret}`);
  session.append(
    {
      type: "assistant",
      message: {
        id: "m-task",
        content: [
          {
            type: "tool_use",
            id: "toolu_task",
            name: "Task",
            input: { subagent_type: "x", description: secret },
          },
        ],
      },
    },
    {
      type: "user",
      toolUseResult: { agentId: "a1" },
      message: { content: [{ type: "tool_result", tool_use_id: "toolu_task", content: secret }] },
    },
  );
  const subagents = join(session.transcriptPath.replace(/\.jsonl$/, ""), "subagents");
  mkdirSync(subagents, { recursive: true });
  const call = {
    type: "tool_use",
    name: "Write",
    id: "w",
    input: { file_path: join(repository.folder, secret) },
  };
  writeFileSync(
    join(subagents, "agent-a1.jsonl"),
    `${JSON.stringify({ type: "assistant", message: { id: "s1", content: [call] } })}\n`,
  );
  await session.write(`notes-${secret}/plain.txt`, "one\n");
  expect(commit("in the turn")).not.toBe("");
  session.say(`said ${secret}`);
  await session.stop();
  const stored = everythingStored();
  expect(stored).toContain("said REDACTED");
  expect(stored).toContain("notes-REDACTED/plain.txt");
  expect(stored).toContain("fix/REDACTED");
  expect(stored).toContain("agent-a1.jsonl");
  expect(stored).not.toContain(secret);
  expect(problems()).toEqual([]);
});

test("a rule that comes later holds for everything stored from then on, and adopted sessions obey it too", async () => {
  const session = startAgentSession(repository, "s-1");
  await session.prompt(`use ${secret}`);
  await session.write("a", "one\n");
  await session.stop();
  writeFileSync(join(repository.folder, ".git/keyframe/settings.json"), settings);
  commit("after the rule");
  const other = startAgentSession(repository, "s-2");
  other.append({ type: "user", message: { content: `adopt ${secret}` } });
  repository.write("b", "two\n");
  const input = { file_path: join(repository.folder, "b") };
  other.append({
    type: "assistant",
    message: { id: "m", content: [{ type: "tool_use", id: "t", name: "Write", input }] },
  });
  expect(repository.keyframe(["session", "attach", "s-2"]).code).toBe(0);
  expect(commit("adopted")).not.toBe("");
  expect(everythingStored()).toContain("adopt REDACTED");
  expect(everythingStored()).not.toContain(secret);
});

test("settings that cannot be used stop storing and say so; what waited is stored once they are correct", async () => {
  const path = join(repository.folder, ".git/keyframe/settings.json");
  const session = startAgentSession(repository, "s-1", { through: "program" });
  writeFileSync(path, '{"redaction":{"rules":[{"name":"x","pattern":"(a+)+$"}]}}');
  await session.prompt(`use ${secret}`);
  await session.write("a", "one\n");
  await session.stop();
  expect(commit("while damaged")).toBe("");
  expect(repository.git("for-each-ref", "refs/heads/entire")).toBe("");
  expect(problems().map(({ what }) => what)).toContainEqual(expect.stringContaining(path));
  const attach = repository.keyframe(["session", "attach", "s-1"]);
  expect(attach.code).toBe(2);
  expect(attach.stderr).toContain("not a redaction rule");
  writeFileSync(path, settings);
  await session.prompt("go on");
  await session.write("b", "two\n");
  await session.stop();
  expect(commit("when correct")).not.toBe("");
  expect(everythingStored()).toContain("use REDACTED");
  rmSync(path);
});
