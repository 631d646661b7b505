import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bundleChildProgram } from "../support/child-program.ts";
import { createTestRepository, type TestRepository } from "../support/test-repository.ts";

let repository: TestRepository;
beforeEach(() => {
  repository = createTestRepository();
});
afterEach(() => repository.remove());

const checkpoint = (args: readonly string[], stdin = "") =>
  repository.keyframe(["checkpoint", ...args], { stdin });

/** Path and owners of what is pending, as `status` says it. */
function pending(): string[] {
  const { pending } = JSON.parse(repository.keyframe(["status", "--json"]).stdout) as {
    pending: { path: string; owners: { name: string; session?: string; lines: number }[] }[];
  };
  return pending.flatMap(({ path, owners }) =>
    owners.map(
      ({ name, session, lines }) => `${path}: ${name}${session === undefined ? "" : ` ${session}`} ${lines}`,
    ),
  );
}

describe("keyframe checkpoint", () => {
  test("credits a made-up agent, then a person, then nobody, each with what changed since the last", () => {
    repository.write("a", "1\n");
    repository.commit("one");
    repository.write("a", "1\n2\n");
    expect(checkpoint(["mock_ai", "--session", "s", "--model", "m", "a"]).stdout).toBe(
      "mock_ai: looked at 1 file, credited changes in 1 file\n",
    );
    repository.write("a", "1\n2\n3\n");
    checkpoint(["human", "a"]);
    repository.write("a", "1\n2\n3\n4\n");
    checkpoint(["untracked", "a"]);
    repository.write("a", "1\n2\n3\n4\n5\n");
    checkpoint(["known_human", "--editor", "vscode", "--editor-version", "1.99", "--", "a"]);
    expect(pending()).toEqual(["a: mock_ai s 1", "a: Ann Müller <ann@example.com> 2"]);
  });

  test("without files takes those that git status shows, from a subfolder too", () => {
    repository.write("sub/a", "1\n");
    repository.write("b", "1\n2\n");
    const result = repository.keyframe(["checkpoint", "mock_ai", "--json"], {
      cwd: join(repository.folder, "sub"),
    });
    expect(JSON.parse(result.stdout)).toEqual({ recorded: true, credited: 2, seen: 2, problems: [] });
    expect(pending()).toEqual(["b: mock_ai mock_ai 2", "sub/a: mock_ai mock_ai 1"]);
  });

  test("reads a generic agent's JSON, before and after its edit, with unsaved texts", () => {
    const common = {
      repo_working_dir: repository.folder,
      agent_name: "otto",
      model: "m",
      conversation_id: "c",
    };
    const human = { ...common, type: "human", will_edit_filepaths: ["a"], dirty_files: { a: "mine\n" } };
    expect(checkpoint(["agent-v1"], JSON.stringify(human)).code).toBe(0);
    const after = {
      ...common,
      type: "ai_agent",
      edited_filepaths: ["a"],
      dirty_files: { a: "mine\ntheirs\n" },
    };
    expect(checkpoint(["agent-v1", "--hook-input", JSON.stringify(after)]).code).toBe(0);
    expect(pending()).toEqual(["a: otto c 1"]);
  });

  test("of an agent ends with 0 whatever it is given, and says why nothing was recorded", () => {
    for (const stdin of ["", "{", "[]", '{"type":"robot"}']) {
      const result = checkpoint(["agent-v1"], stdin);
      expect([result.code, result.stdout]).toEqual([0, "agent-v1: nothing to record\n"]);
      expect(result.stderr).toMatch(/^keyframe: refused: /);
    }
  });

  test("refuses what it does not know", () => {
    expect(checkpoint(["robot"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("presets: claude"),
    });
    expect(checkpoint([])).toMatchObject({ code: 2 });
    expect(checkpoint(["human", "--hook-input", "stdin"])).toMatchObject({ code: 2 });
    expect(checkpoint(["mock_ai", "--no-such-flag"])).toMatchObject({ code: 2 });
    expect(repository.keyframe(["checkpoint", "human"], { cwd: "/" })).toMatchObject({ code: 3 });
  });

  test("--reset forgets what is pending, and the state from then on is the start", () => {
    repository.write("a", "1\n");
    checkpoint(["mock_ai", "a"]);
    expect(checkpoint(["--reset"]).stdout).toBe("Forgot all that was pending.\n");
    expect(pending()).toEqual([]);
    checkpoint(["untracked", "a"]);
    repository.write("a", "1\n2\n");
    checkpoint(["mock_ai", "a"]);
    expect(pending()).toEqual(["a: mock_ai mock_ai 1"]);
  });
});

test("standard input that never ends is given up in time", async () => {
  const program = bundleChildProgram(new URL("../support/read-input-program.ts", import.meta.url).pathname);
  try {
    // a pipe whose other end stays open; a socket cannot be timed out
    const child = spawn(
      "sh",
      ["-c", '{ echo begun; sleep 60; } | "$0" "$1"', process.execPath, program.path],
      {
        stdio: ["ignore", "pipe", "ignore"],
        detached: true,
      },
    );
    const [text] = (await once(child.stdout, "data")) as [Buffer];
    process.kill(-(child.pid ?? 0), "SIGKILL");
    expect(text.toString()).toBe("timed-out: standard input did not end within 50 ms\n");
    const whole = spawnSync(process.execPath, [program.path], { input: "x".repeat(200_000) });
    expect(whole.stdout.toString()).toBe("read 200000 bytes\n");
    const large = spawnSync(process.execPath, [program.path], { input: "x".repeat(2_000_000) });
    expect(large.stdout.toString()).toBe("too-large: standard input is larger than 1000000 bytes\n");
  } finally {
    program.remove();
  }
});
