import { spawnSync } from "node:child_process";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type AgentSession, startAgentSession } from "../support/agent-session.ts";
import { createTestRepository, type TestRepository } from "../support/test-repository.ts";

const hasTerminal = spawnSync("script", ["--version"]).status === 0;

let repository: TestRepository;
let session: AgentSession;
beforeEach(async () => {
  repository = createTestRepository();
  repository.write("README", "hello\n");
  repository.commit("start");
  expect(repository.keyframe(["enable"]).code).toBe(0);
  session = startAgentSession(repository, "s-1");
  await session.prompt("write both");
  await session.write("a", "1\n");
  await session.write("b", "2\n");
  session.say("Written.");
  await session.stop();
  repository.git("add", "-A");
});
afterEach(() => repository.remove());

/** What a person sees of a command that runs on a terminal. */
function onTerminal(command: string): string {
  const result = spawnSync("script", ["-qefc", command, "/dev/null"], {
    cwd: repository.folder,
    env: repository.env,
    encoding: "utf8",
  });
  expect(result.status).toBe(0);
  return result.stdout.replaceAll("\r\n", "\n");
}
const idOfHead = () =>
  repository.git("log", "-1", "--format=%(trailers:key=Entire-Checkpoint,valueonly)").trim();

describe.skipIf(!hasTerminal)("a commit on a terminal (needs the program script)", () => {
  test("says in one line what it is linked to", () => {
    const shown = onTerminal("git commit -m both");
    const told = shown.split("\n").filter((line) => line.startsWith("keyframe: "));
    expect(told).toEqual([`keyframe: linked to checkpoint ${idOfHead()} (Claude Code, 2 files)`]);
  });

  test.each(["git commit -qm both", "git commit --quiet -m both"])("says nothing with %s", (command) => {
    expect(onTerminal(command)).toBe("");
    expect(idOfHead()).not.toBe("");
  });

  test("says nothing where nothing is linked, and nothing again for what a rebase repeats", () => {
    onTerminal("git commit -m both");
    repository.write("c", "by hand\n");
    repository.git("add", "c");
    expect(onTerminal("git commit -m hand")).not.toContain("keyframe:");
    expect(onTerminal("git rebase --force-rebase HEAD~2")).not.toContain("keyframe:");
    expect(onTerminal("git commit --amend --no-edit")).not.toContain("keyframe:");
  });
});

test("a commit of a script or an agent says nothing", () => {
  const result = spawnSync("git", ["commit", "-m", "both"], {
    cwd: repository.folder,
    env: repository.env,
    encoding: "utf8",
  });
  expect([result.status, result.stderr]).toEqual([0, ""]);
  expect(idOfHead()).not.toBe("");
});
