import { spawn } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createTestRepository, keyframeProgram, type TestRepository } from "../support/test-repository.ts";

let repository: TestRepository;
beforeEach(() => {
  repository = createTestRepository();
});
afterEach(() => repository.remove());

/** KEYFRAME_HOOKS_AT_ONCE=60 is what it was found with. */
const hooksAtOnce = Number(process.env["KEYFRAME_HOOKS_AT_ONCE"] ?? 12);

function hook(payload: object): Promise<void> {
  const { folder: cwd, env } = repository;
  const child = spawn(process.execPath, [keyframeProgram, "hook", "claude"], { cwd, env, stdio: "pipe" });
  child.stdin.end(JSON.stringify(payload));
  return new Promise((resolve) => child.once("close", () => resolve()));
}

test("hooks of many conversations at once lose neither a session nor an edit", async () => {
  repository.write("a", "1\n");
  repository.commit("first");
  expect(repository.keyframe(["enable", "--agent", "claude"]).code).toBe(0);
  const numbers = Array.from({ length: hooksAtOnce }, (_, at) => at);
  const call = (at: number) => ({
    session_id: `s-${at}`,
    transcript_path: join(repository.env["HOME"] ?? "", `.claude/projects/work/s-${at}.jsonl`),
    cwd: repository.folder,
  });
  await Promise.all(
    numbers.map((at) => hook({ ...call(at), hook_event_name: "UserPromptSubmit", prompt: `ask ${at}` })),
  );
  const sessions = readdirSync(join(repository.folder, ".git/entire-sessions"));
  expect(sessions.sort()).toEqual(numbers.map((at) => `s-${at}.json`).sort());
  await Promise.all(
    numbers.map(async (at) => {
      const path = join(repository.folder, `f${at}`);
      const edit = {
        ...call(at),
        tool_name: "Write",
        tool_use_id: `t${at}`,
        tool_input: { file_path: path, content: `${at}\n` },
      };
      await hook({ ...edit, hook_event_name: "PreToolUse" });
      writeFileSync(path, `${at}\n`);
      await hook({ ...edit, hook_event_name: "PostToolUse", tool_response: {} });
    }),
  );
  repository.commit("all");
  const note = repository.git("notes", "--ref=ai", "show", "HEAD");
  expect(numbers.filter((at) => !note.includes(`f${at}\n`))).toEqual([]);
  expect(repository.keyframe(["status"]).stdout).not.toContain("timed out");
});
