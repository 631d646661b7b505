import { spawnSync } from "node:child_process";
import { afterEach, describe, expect, test } from "vitest";
import { describeRefusal } from "../../src/checkpoints/remote/push/push-checkpoints.ts";
import { v1Branch } from "../../src/checkpoints/stores/layout-refs.ts";
import { idOf, smallCheckpoint, writeOptions } from "../support/small-checkpoints.ts";
import { makeSyncedClones, type SyncedClones } from "../support/synced-clones.ts";

let clones: SyncedClones;
afterEach(() => clones.close());

const line = (text: string) =>
  `${JSON.stringify({ type: "user", message: { role: "user", content: text } })}\n`;

test("a push that a rule refuses names what helps, and a quiet one says nothing", async () => {
  clones = await makeSyncedClones({ over: "folder" });
  const a = clones.clone("a");
  expect(a.keyframe("enable").code).toBe(0);
  a.commit("two");
  a.sh("push", "-q", "origin", "HEAD:refs/heads/main");
  await a.stores.v1.write(
    [smallCheckpoint(idOf(1), { sessionId: "s", transcript: [line("x")] })],
    writeOptions,
  );
  a.commit("three");
  const quiet = spawnSync("git", ["-C", a.folder, "push", "--quiet", "origin", "HEAD:refs/heads/main"], {
    env: a.env,
  });
  expect([quiet.status, String(quiet.stderr)]).toEqual([0, ""]);
  expect(clones.remote("for-each-ref", v1Branch)).toContain(v1Branch);
  const refused = describeRefusal(v1Branch, { name: "origin" }, "protected branch hook declined");
  expect(refused).toMatch(/keyframe\.remote .* migrate --to refs/);
  expect(describeRefusal(v1Branch, { name: "origin" }, "disk full")).not.toContain("keyframe.remote");
});

test("further push URLs of a remote are named, and served by their name", async () => {
  clones = await makeSyncedClones({ over: "folder" });
  const a = clones.clone("a");
  const second = `${a.folder}-second.git`;
  a.sh("init", "-q", "--bare", second);
  a.sh("remote", "set-url", "--add", "--push", "origin", a.sh("remote", "get-url", "origin"));
  a.sh("remote", "set-url", "--add", "--push", "origin", second);
  await a.stores.v1.write(
    [smallCheckpoint(idOf(1), { sessionId: "s", transcript: [line("x")] })],
    writeOptions,
  );
  const pushed = a.keyframe("push");
  expect([pushed.code, pushed.stderr]).toEqual([0, expect.stringContaining(`keyframe push ${second}`)]);
  expect(clones.remote("for-each-ref", v1Branch)).toContain(v1Branch);
  expect(a.keyframe("push", second).code).toBe(0);
  expect(a.sh("ls-remote", second, v1Branch)).toContain(v1Branch);
});

describe("sessions of a checkpoint", () => {
  const tokens = (input: number) => new Map([["input_tokens", input]]);

  test("go by number or by a beginning that is one's own, and tokens are those of the session shown", async () => {
    clones = await makeSyncedClones({ over: "folder" });
    const a = clones.clone("a");
    await a.stores.v1.write(
      [
        smallCheckpoint(
          idOf(1),
          { sessionId: "abc-1", transcript: [line("one")], fields: { token_usage: tokens(10) } },
          { sessionId: "abc-2", transcript: [line("two")], fields: { token_usage: tokens(200) } },
          { sessionId: "xyz", transcript: [line("three")], fields: { token_usage: tokens(3000) } },
        ),
      ],
      writeOptions,
    );
    const explain = (...args: string[]) => a.keyframe("explain", idOf(1), ...args);
    expect(explain("--session", "2").stdout).toMatch(
      /Session: abc-2 \(2 of 3.*\n[\s\S]*Tokens: 200 \(all sessions: 3210\)/,
    );
    expect(explain("--session", "xy").stdout).toContain("Session: xyz");
    const ambiguous = explain("--session", "abc");
    expect([ambiguous.code, ambiguous.stderr]).toEqual([2, expect.stringContaining("abc-1, abc-2")]);
    expect(explain("--session", "4").code).toBe(3);
  });
});

test("list finds checkpoints by what was asked for, and counts them after that", async () => {
  clones = await makeSyncedClones({ over: "folder" });
  const a = clones.clone("a");
  const asked = (number: number, text: string) => {
    const write = smallCheckpoint(idOf(number), {
      sessionId: `s-${number}`,
      transcript: [line(text)],
      createdAt: `2026-02-0${number}T00:00:00Z`,
    });
    return {
      ...write,
      sessions: write.sessions.map((one) => ({ ...one, prompt: { bytes: Buffer.from(text) } })),
    };
  };
  await a.stores.v1.write(
    [asked(1, "Fix the LOGIN page"), asked(2, "other"), asked(3, "login again")],
    writeOptions,
  );
  const ids = (...args: string[]) =>
    JSON.parse(a.keyframe("list", "--json", ...args).stdout).map(({ id }: { id: string }) => id);
  expect(ids("--text", "login")).toEqual([idOf(3), idOf(1)]);
  expect(ids("--text", "login", "--limit", "1")).toEqual([idOf(3)]);
  expect(ids("--text", "nothing")).toEqual([]);
});

test("doctor tells many findings of one cause as one, and ends with 1", async () => {
  clones = await makeSyncedClones({ over: "folder" });
  const a = clones.clone("a");
  for (let number = 1; number <= 9; number += 1) a.commit(`c${number}\n\nEntire-Checkpoint: ${idOf(number)}`);
  const { code, stdout } = a.keyframe("doctor");
  expect(code).toBe(1);
  expect(stdout).toMatch(/dangling trailer: 9 times/);
  expect(stdout.split("\n").length).toBeLessThan(12);
});

test("explain prints a conversation as Markdown, JSON or one trajectory, and within a budget", async () => {
  clones = await makeSyncedClones({ over: "folder" });
  const a = clones.clone("a");
  const answer = (id: string, content: readonly object[]) =>
    `${JSON.stringify({ type: "assistant", timestamp: "2026-02-01T00:00:01Z", message: { id, role: "assistant", model: "m-1", content, usage: { input_tokens: 7, output_tokens: 3 } } })}\n`;
  const transcript =
    line("Add a login page") +
    answer("m1", [
      { type: "text", text: "I will look first." },
      { type: "tool_use", id: "t1", name: "Bash", input: { command: "ls" } },
    ]) +
    `${JSON.stringify({ type: "user", message: { role: "user", content: [{ type: "tool_result", tool_use_id: "t1", content: "a.ts" }] } })}\n` +
    answer("m2", [{ type: "text", text: "Done." }]);
  await a.stores.v1.write(
    [smallCheckpoint(idOf(1), { sessionId: "s", transcript: [transcript], fields: { model: "m-1" } })],
    writeOptions,
  );
  const explain = (...args: string[]) => a.keyframe("explain", idOf(1), ...args).stdout;
  const trajectory = JSON.parse(explain("--format", "atif"));
  expect(trajectory).toMatchObject({
    schema_version: "ATIF-v1.7",
    session_id: "s",
    agent: { name: "Claude Code", model_name: "m-1" },
    steps: [
      { step_id: 1, source: "user", message: "Add a login page" },
      {
        step_id: 2,
        source: "agent",
        message: "I will look first.",
        tool_calls: [{ tool_call_id: "t1", function_name: "Bash", arguments: { command: "ls" } }],
        observation: { results: [{ source_call_id: "t1", content: "a.ts" }] },
        metrics: { prompt_tokens: 7, completion_tokens: 3 },
      },
      { step_id: 3, source: "agent", message: "Done." },
    ],
    final_metrics: { total_prompt_tokens: 14, total_completion_tokens: 6, total_steps: 3 },
  });
  expect(explain("--format", "md")).toMatch(
    /^# prompt of s\n[\s\S]*\n## User\n\nAdd a login page\n\n## Assistant\n\nI will look first\.\n- Bash: ls\n\nDone\.\n$/,
  );
  expect(JSON.parse(explain("--format", "json")).conversation).toHaveLength(3);
  const short = explain("--budget", "10");
  expect(short).toContain("[User] Add a login page");
  expect(short).toContain("left out");
  expect(short).not.toContain("I will look first");
  expect(a.keyframe("explain", idOf(1), "--budget", "0").code).toBe(2);
});
