// Covers src/cli/record/**, src/cli/journal/**.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
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

/** One letter a line of the committed file: A an agent, K a known human, U unknown. */
function owners(path: string): string {
  const { blame } = JSON.parse(repository.keyframe(["blame", "--json", path]).stdout) as {
    blame: { owner?: { kind: string } }[];
  };
  const letters: Record<string, string> = { agent: "A", human: "K" };
  return blame.map(({ owner }) => letters[owner?.kind ?? ""] ?? "U").join("");
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

  test.each([
    ["a clean file", "clean", "a.txt", "1\n", "U", 1],
    ["a new file", "new", "n.txt", undefined, "", 1],
    ["an empty file", "empty", "e.txt", "", "", 1],
  ])("credits a generic agent with what it adds to %s", (_what, _id, path, before, unknown, lines) => {
    repository.write("base", "x\n");
    if (before !== undefined) repository.write(path, before);
    repository.commit("one");
    const where = { repo_working_dir: repository.folder };
    checkpoint(["agent-v1"], JSON.stringify({ ...where, type: "human", will_edit_filepaths: [path] }));
    repository.write(path, `${before ?? ""}theirs\n`);
    const agent = { agent_name: "otto", model: "m", conversation_id: "c" };
    checkpoint(
      ["agent-v1"],
      JSON.stringify({ ...where, ...agent, type: "ai_agent", edited_filepaths: [path] }),
    );
    expect(pending()).toEqual([`${path}: otto c ${lines}`]);
    repository.commit("two");
    expect(repository.keyframe(["settle"]).code).toBe(0);
    expect(owners(path)).toBe(`${unknown}A`);
  });

  test("what a person changed before a generic agent's edit is not the agent's, however often it looks", () => {
    repository.write("a", "1\n");
    repository.commit("one");
    const where = { repo_working_dir: repository.folder };
    const look = JSON.stringify({ ...where, type: "human", will_edit_filepaths: ["a"] });
    const agent = { agent_name: "otto", model: "m", conversation_id: "c" };
    const edited = JSON.stringify({ ...where, ...agent, type: "ai_agent", edited_filepaths: ["a"] });
    checkpoint(["agent-v1"], look);
    repository.write("a", "1\nperson\n");
    checkpoint(["agent-v1"], look);
    repository.write("a", "1\nperson\nagent\n");
    checkpoint(["agent-v1"], edited);
    repository.write("a", "1\nperson\nagent\nperson again\n");
    checkpoint(["agent-v1"], look);
    repository.write("a", "1\nperson\nagent\nperson again\nagent again\n");
    checkpoint(["agent-v1"], edited);
    repository.commit("two");
    repository.keyframe(["settle"]);
    expect(owners("a")).toBe("UUAUA");
  });

  test("a save between a generic agent's looks is the agent's own write, and one without a look before is a person's", () => {
    for (const path of ["a", "b"]) repository.write(path, "1\n");
    repository.commit("one");
    const where = { repo_working_dir: repository.folder };
    const agent = { agent_name: "otto", model: "m", conversation_id: "c" };
    checkpoint(["agent-v1"], JSON.stringify({ ...where, type: "human", will_edit_filepaths: ["a"] }));
    repository.write("a", "1\nagent\n");
    repository.write("b", "1\nperson\n");
    expect(checkpoint(["known_human", "a", "b"]).code).toBe(0);
    checkpoint(
      ["agent-v1"],
      JSON.stringify({ ...where, ...agent, type: "ai_agent", edited_filepaths: ["a"] }),
    );
    repository.write("a", "1\nagent\nperson after\n");
    checkpoint(["known_human", "a"]);
    repository.commit("two");
    repository.keyframe(["settle"]);
    expect([owners("a"), owners("b")]).toEqual(["UAK", "UK"]);
  });

  describe("by hand says what it cannot record, records the rest, and ends with a code that tells", () => {
    test.each(["human", "known_human", "mock_ai", "untracked"])("%s", (preset) => {
      repository.write(".gitignore", "*.log\n");
      repository.write("a", "1\n");
      repository.write("gone", "1\n");
      repository.commit("one");
      repository.write("a", "1\n2\n");
      repository.write("x.log", "1\n");
      rmSync(join(repository.folder, "gone"));
      const outside = join(repository.folder, "..", "outside.txt");
      writeFileSync(outside, "1\n");
      expect(checkpoint([preset, "missing"])).toMatchObject({
        code: 3,
        stdout: `${preset}: nothing to record\n`,
        stderr: expect.stringMatching(/missing.*does not exist/),
      });
      expect(checkpoint([preset, outside])).toMatchObject({
        code: 4,
        stderr: expect.stringMatching(/outside\.txt.*in no git repository/),
      });
      expect(checkpoint([preset, "x.log"])).toMatchObject({
        code: 4,
        stderr: expect.stringMatching(/x\.log.*ignored/),
      });
      expect(checkpoint([preset, "."])).toMatchObject({ code: 4 });
      mkdirSync(join(repository.folder, "sub"));
      expect(checkpoint([preset, "sub"])).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/sub.*is a directory/),
      });
      const mixed = checkpoint([preset, "--json", "a", "gone", "missing"]);
      expect(mixed.code).toBe(3);
      expect(JSON.parse(mixed.stdout)).toMatchObject({ recorded: true, seen: 2 });
      expect(JSON.parse(mixed.stdout)).toHaveProperty("problems.length", 1);
    });

    test("also for an editor's JSON; a tracked file that a rule ignores is recorded", () => {
      repository.write("a.log", "1\n");
      repository.commit("one");
      repository.write(".gitignore", "*.log\n");
      repository.write("a.log", "1\n2\n");
      repository.write("b.log", "1\n");
      const save = (path: string) =>
        checkpoint(
          ["known_human", "--hook-input", "stdin"],
          JSON.stringify({ editor: "vscode", cwd: repository.folder, edited_filepaths: [path] }),
        );
      expect(save("a.log").code).toBe(0);
      expect(save("b.log")).toMatchObject({ code: 4, stderr: expect.stringMatching(/ignored/) });
      expect(pending()).toEqual(["a.log: Ann Müller <ann@example.com> 1"]);
    });
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
