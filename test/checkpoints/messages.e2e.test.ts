import { spawnSync } from "node:child_process";
import { afterEach, describe, expect, test } from "vitest";
import { describeRefusal } from "../../src/checkpoints/remote/push-checkpoints.ts";
import { v1Branch } from "../../src/checkpoints/stores/store-refs.ts";
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
