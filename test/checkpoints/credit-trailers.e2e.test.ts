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

const message = () => repository.git("log", "-1", "--format=%B").trim().split("\n");
const findings = () =>
  (JSON.parse(repository.keyframe(["doctor", "--json"]).stdout) as { trailers: readonly { what: string }[] })
    .trailers;

test("the agent behind a commit is named where the user wants that, once, and a person's commit names nobody", async () => {
  const session = startAgentSession(repository, "s-1");
  await session.prompt("go");
  await session.write("a", "a\n");
  repository.git("add", "-A");
  repository.gitBytes(["commit", "-q", "-m", "off by default"]);
  expect(message().filter((line) => line.includes("-by:"))).toEqual([]);

  repository.git("config", "keyframe.trailer", "assisted-by");
  await session.write("b", "b\n");
  repository.git("add", "-A");
  repository.gitBytes(["commit", "-q", "-m", "first words"]);
  repository.gitBytes(["commit", "-q", "--amend", "-m", "with words"]);
  await session.write("b", "b\nb2\n");
  repository.git("add", "-A");
  repository.gitBytes(["commit", "-q", "--amend", "--no-edit"]);
  expect(message()).toEqual([
    "with words",
    "",
    "Assisted-by: claude:claude-test-1",
    expect.stringMatching(/^Entire-Checkpoint: /),
  ]);

  repository.write("c", "typed\n");
  repository.git("add", "-A");
  repository.gitBytes(["commit", "-q", "-m", "a person's"]);
  expect(message()).toEqual(["a person's"]);
  expect(findings()).toEqual([]);
});

test("doctor tells trailers that a note does not bear out, and lines that no trailer names", async () => {
  repository.git("config", "keyframe.trailer", "assisted-by");
  const session = startAgentSession(repository, "s-1");
  await session.prompt("go");
  await session.write("a", "a\n");
  repository.git("add", "-A");
  repository.gitBytes(["commit", "-q", "-m", "by claude\n\nAssisted-by: codex"]);
  expect(findings()).toEqual([]);
  repository.git(
    "commit",
    "--allow-empty",
    "-q",
    "-m",
    "by hand\n\nAssisted-by: codex:gpt-5\nAssisted-by: Somebody Else",
  );
  expect(findings().map(({ what }) => what)).toEqual([
    "a trailer names codex, and no line of it is in its note",
  ]);
});
