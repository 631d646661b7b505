import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type AgentSession, startAgentSession } from "../support/agent-session.ts";
import { createTestRepository, type TestRepository } from "../support/test-repository.ts";

let repository: TestRepository;
let session: AgentSession;
beforeEach(() => {
  repository = createTestRepository();
  repository.write("README", "hello\n");
  repository.commit("start");
  expect(repository.keyframe(["enable"]).code).toBe(0);
  session = startAgentSession(repository, "s-1");
});
afterEach(() => repository.remove());

const keyframe = (...args: string[]) => repository.keyframe(args);
const explained = () => JSON.parse(keyframe("explain", "HEAD", "--json").stdout);
const said = (summary: string) => ({ type: "ai-title", aiTitle: summary, sessionId: "s-1" });
async function work(...lines: readonly object[]): Promise<void> {
  await session.prompt("limit the rates");
  session.append(...lines);
  await session.write("a", "1\n");
  session.say("Rates are limited.");
  repository.git("add", "-A");
  repository.git("commit", "-qm", "limit");
}
function summarizeBy(script: string): void {
  repository.git("config", "--global", "keyframe.summarize", script);
}

describe("the agent's own line about its conversation", () => {
  test("is kept with the checkpoint, shown and found; the last one counts", async () => {
    await work(said("Old name"), said("Rate limits of the server"));
    expect(explained().sessions[0]).toMatchObject({
      agentSummary: "Rate limits of the server",
      title: "limit the rates",
    });
    const shown = keyframe("explain", "HEAD", "--short").stdout;
    expect(shown).toContain("Intent: limit the rates\n");
    expect(shown).toContain("\nAgent's summary: Rate limits of the server");
    expect(JSON.parse(keyframe("list", "--json").stdout)[0].agentSummary).toBe("Rate limits of the server");
    expect(keyframe("search", "limits of the server").stdout).toContain("limits of the server");
    session.append(said("What it became"));
    await session.stop();
    expect(explained().sessions[0].agentSummary).toBe("What it became");
  });

  test("is not invented, and has its secrets taken out", async () => {
    await work();
    expect(explained().sessions[0].agentSummary).toBeUndefined();
    expect(keyframe("explain", "HEAD").stdout).not.toContain("Agent's summary");
    session.append(said("use AKIAIOSFODNN7EXAMPLF as the key"));
    await session.stop();
    expect(explained().sessions[0].agentSummary).toContain("REDACTED");
  });
});

describe("a summary by a command of the user's", () => {
  test.each(["v1", "v2", "refs"])("is stored in %s with the conversation as it was", async (store) => {
    repository.write(".git/keyframe/settings.json", JSON.stringify({ checkpoints: { store } }));
    await work();
    await session.stop();
    const before = keyframe("explain", "HEAD", "--raw-transcript").stdout;
    const heard = join(repository.folder, ".git/heard");
    summarizeBy(`cat >'${heard}'; pwd >>'${heard}'; printf 'The server limits rates.'`);
    const result = keyframe("explain", "HEAD", "--summarize");
    expect([result.code, result.stderr]).toEqual([0, ""]);
    expect(result.stdout).toContain("Intent: limit the rates\nOutcome: The server limits rates.\n");
    const input = readFileSync(heard, "utf8");
    expect(input).toContain("[User] limit the rates");
    expect(input).toContain("[Assistant] Rates are limited.");
    expect(input).toMatch(/\/keyframe-program-[^/]+\/empty\n$/);
    expect(keyframe("explain", "HEAD", "--raw-transcript").stdout).toBe(before);
    expect(explained().sessions[0]).toMatchObject({
      summary: { outcome: "The server limits rates." },
      prompts: ["limit the rates"],
    });
    expect(keyframe("doctor").code).toBe(0);
    // a later turn's end leaves it
    session.say("More words.");
    await session.stop();
    expect(explained().sessions[0].summary.outcome).toBe("The server limits rates.");
  });

  test("is asked for only where the user's own configuration names one", async () => {
    await work();
    const mark = join(repository.folder, ".git/ran");
    repository.git("config", "keyframe.summarize", `touch '${mark}'; echo done`);
    writeFileSync(
      join(repository.folder, "included"),
      `[keyframe]\n\tsummarize = touch '${mark}'; echo done\n`,
    );
    repository.git("config", "--global", "include.path", join(repository.folder, "included"));
    const result = keyframe("explain", "HEAD", "--summarize");
    expect([result.code, result.stderr]).toEqual([
      2,
      expect.stringContaining("no command for summaries is set"),
    ]);
    expect(() => readFileSync(mark)).toThrow();
  });

  test.each([
    ["exit 3", "ended with 3"],
    ["echo no key >&2; exit 1", "ended with 1: no key"],
    ["true", "printed no summary"],
  ])("that fails (%s) is told and changes nothing", async (script, told) => {
    await work();
    const refs = repository.git("for-each-ref");
    summarizeBy(script);
    const result = keyframe("explain", "HEAD", "--summarize");
    expect([result.code === 0, result.stderr]).toEqual([false, expect.stringContaining(told)]);
    expect(repository.git("for-each-ref")).toBe(refs);
    expect(keyframe("explain", "HEAD").stdout).toContain("Outcome: (not generated)");
  });

  test("needs a checkpoint", async () => {
    await work();
    summarizeBy("echo x");
    for (const args of [
      ["explain", "--summarize"],
      ["explain", "a:1", "--summarize"],
    ])
      expect(keyframe(...args).code).toBe(2);
  });
});
