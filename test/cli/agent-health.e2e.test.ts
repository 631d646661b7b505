import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createTestRepository, type TestRepository } from "../support/test-repository.ts";

let repository: TestRepository;
beforeEach(() => {
  repository = createTestRepository();
  repository.commit("first");
});
afterEach(() => repository.remove());

const hourMs = 3600_000;

/** A conversation of the agent about this repository, in the agent's own place and form. */
function putConversation(path: string, head: object, writtenMs: number): string {
  const whole = join(repository.env["HOME"] ?? "", path);
  mkdirSync(dirname(whole), { recursive: true });
  writeFileSync(whole, `${JSON.stringify(head)}\n`);
  utimesSync(whole, writtenMs / 1000, writtenMs / 1000);
  return whole;
}

const transcripts: readonly (readonly [string, string, (cwd: string) => object])[] = [
  ["claude", ".claude/projects/-w/s-1.jsonl", (cwd) => ({ cwd, version: "2.1.329", type: "user" })],
  [
    "codex",
    ".codex/sessions/2026/01/02/rollout-1-s-1.jsonl",
    (cwd) => ({ payload: { cwd, cli_version: "0.171.0" } }),
  ],
  ["qwen", ".qwen/projects/-w/chats/s-1.jsonl", (cwd) => ({ cwd, version: "0.24.4" })],
];

const silent = () => {
  const { stdout } = repository.keyframe(["doctor", "--json"]);
  const { agents } = JSON.parse(stdout) as {
    agents: readonly { kind: string; subject: string; what: string }[];
  };
  return agents;
};

describe("hooks that are set up and silent", () => {
  test.each(transcripts)(
    "%s: doctor names them once the agent has worked here unheard",
    (agent, path, head) => {
      expect(repository.keyframe(["enable", "--agent", agent]).code).toBe(0);
      expect(silent()).toEqual([]);
      const later = Date.now() + hourMs;
      const at = putConversation(path, head("/elsewhere"), later);
      expect(silent()).toEqual([]);
      putConversation(path, head(repository.folder), later);
      expect(silent()).toMatchObject([
        { kind: "silent hooks", subject: agent, what: expect.stringContaining(at) },
      ]);
      // one from before it was connected says nothing
      putConversation(path, head(repository.folder), Date.now() - hourMs);
      expect(silent()).toEqual([]);
    },
  );

  test("hooks in the home are looked at too, and an agent that is not connected is not missed", () => {
    const [, codex] = transcripts;
    if (codex === undefined) throw new Error("no such row");
    putConversation(codex[1], codex[2](repository.folder), Date.now() + hourMs);
    expect(repository.keyframe(["enable", "--agent", "claude"]).code).toBe(0);
    expect(silent()).toEqual([]);
    expect(repository.keyframe(["enable", "--global", "--agent", "codex"]).code).toBe(0);
    expect(silent()).toMatchObject([{ subject: "codex" }]);
  });
});

describe("status", () => {
  test.each(transcripts)("%s: tells the last event that was heard, and the version", (agent, path, head) => {
    expect(repository.keyframe(["enable", "--agent", agent]).code).toBe(0);
    const transcript_path = putConversation(path, head(repository.folder), Date.now());
    const payload = { session_id: "s-1", transcript_path, cwd: repository.folder, prompt: "go", model: "m" };
    repository.keyframe(["hook", agent], {
      stdin: JSON.stringify({ ...payload, hook_event_name: "UserPromptSubmit", submitted_prompt: "go" }),
    });
    const { agents } = JSON.parse(repository.keyframe(["status", "--json"]).stdout) as {
      agents: readonly object[];
    };
    const version = /"(\d+\.\d+\.\d+)"/.exec(JSON.stringify(head("")))?.[1];
    expect(agents).toMatchObject([{ agent, lastEvent: "prompt", lastHeard: expect.any(String), version }]);
    expect(repository.keyframe(["status"]).stdout).toContain(`(prompt, version ${version})`);
  });
});
