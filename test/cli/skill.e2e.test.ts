// Covers src/cli/mcp/**: the skill file for agents that prefer commands; each of its commands is run.
import { afterAll, beforeAll, expect, test } from "vitest";
import { skillQuestions } from "../../src/cli/mcp/skill.ts";
import { startAgentSession } from "../support/agent-session.ts";
import { createTestRepository, type TestRepository } from "../support/test-repository.ts";

let repository: TestRepository;
beforeAll(async () => {
  repository = createTestRepository();
  repository.write("parser.ts", "by a person\n");
  repository.commit("Start");
  repository.keyframe(["enable"]);
  const session = startAgentSession(repository, "8b9f5a4e-0000-4000-8000-00000000000d", {
    through: "program",
  });
  await session.prompt("make the parser retry");
  await session.write("parser.ts", "by a person\nretry();\n");
  await session.stop();
  repository.commit("Retry in the parser");
});
afterAll(() => repository.remove());

const filled: Readonly<Record<string, string>> = {
  "<path>:<line>": "parser.ts:2",
  "<path>": "parser.ts",
  "<commit>": "HEAD",
  "<words>": "retry",
  "<from>..<to>": "HEAD~1..HEAD",
};

test.each(skillQuestions)("$question", ({ words }) => {
  const result = repository.keyframe(words.map((word) => filled[word] ?? word));
  expect([result.code, result.stderr]).toEqual([0, words[0] === "race" ? expect.anything() : ""]);
  if (words[0] === "explain") expect(result.stdout).toContain("make the parser retry");
});

test("it is a skill file in which each command says what it does", () => {
  const { stdout } = repository.keyframe(["mcp", "--skill"]);
  expect(stdout).toMatch(/^---\nname: keyframe\ndescription: .{80,900}\n---\n/);
  const lines = [...stdout.matchAll(/`keyframe ([a-z]+)[^`]*` \((.*)\)$/gm)];
  expect(lines).toHaveLength(skillQuestions.length);
});
