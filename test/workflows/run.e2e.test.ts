// Covers src/workflows/run/**, src/cli/run/**.
import { spawn } from "node:child_process";
import { existsSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createTestRepository, keyframeProgram, type TestRepository } from "../support/test-repository.ts";

let repository: TestRepository;

beforeEach(() => {
  repository = createTestRepository();
  repository.write("old.txt", "old 1\nold 2\n");
  repository.commit("before");
  expect(repository.keyframe(["enable", "--agent", "claude"]).code).toBe(0);
});
afterEach(() => repository.remove());

const run = (script: string, ...flags: string[]) =>
  repository.keyframe(["run", "--in", "here", "--agent", "robot", ...flags, "--", "sh", "-c", script]);

/** Each line with whoever owns it. */
function owners(path: string): [string, string][] {
  const { blame } = JSON.parse(repository.keyframe(["blame", "--json", path]).stdout) as {
    readonly blame: readonly {
      readonly content: string;
      readonly owner: { readonly kind: string; readonly tool?: string; readonly model?: string } | null;
    }[];
  };
  return blame.map(({ content, owner }) => [content, owner?.tool ?? owner?.kind ?? "unknown"]);
}

describe("keyframe run", () => {
  test("credits the program with what it leaves, and nobody with what was there before", () => {
    writeFileSync(join(repository.folder, "mine.txt"), "by hand\n");
    const result = run(
      "echo new > new.txt; echo more >> old.txt; echo more >> mine.txt; echo said",
      "--model",
      "m-1",
    );
    expect(result).toMatchObject({ code: 0, stdout: "said\n" });
    repository.commit("all");
    expect(owners("new.txt")).toEqual([["new", "robot"]]);
    expect(owners("old.txt")).toEqual([
      ["old 1", "unknown"],
      ["old 2", "unknown"],
      ["more", "robot"],
    ]);
    expect(owners("mine.txt")).toEqual([
      ["by hand", "unknown"],
      ["more", "robot"],
    ]);
  });

  test("ends as the program ends, and credits one that fails", () => {
    expect(run("echo half > half.txt; exit 7").code).toBe(7);
    expect(run("kill -TERM $$").code).toBe(143);
    repository.commit("all");
    expect(owners("half.txt")).toEqual([["half", "robot"]]);
  });

  test("credits a commit of the program's own", () => {
    expect(
      run("echo made > made.txt && git add -A && git commit -qm 'by the robot' && echo after > after.txt")
        .code,
    ).toBe(0);
    repository.commit("the rest");
    expect(owners("made.txt")).toEqual([["made", "robot"]]);
    expect(owners("after.txt")).toEqual([["after", "robot"]]);
  });

  test("works in a worktree of its own: what was there is there, and nothing here changes", () => {
    repository.write("old.txt", "old 1\nby hand\n");
    repository.write("sub/new.txt", "loose\n");
    const before = [repository.git("status", "--porcelain"), repository.git("rev-parse", "HEAD")];
    const script =
      "pwd; cat ../old.txt new.txt; echo more >> ../old.txt; git add -A; git commit -qm robot; echo x > x";
    const result = repository.keyframe(["run", "--agent", "robot", "--", "sh", "-c", script], {
      cwd: join(repository.folder, "sub"),
    });
    const there = join(repository.folder, "..", "work.forks", "robot");
    expect(result.stdout).toBe(`${realpathSync(there)}/sub\nold 1\nby hand\nloose\n`);
    expect(result.code).toBe(0);
    expect(result.stderr).toContain("1 commit on keyframe/robot, 1 uncommitted file");
    expect([repository.git("status", "--porcelain"), repository.git("rev-parse", "HEAD")]).toEqual(before);
    const blame = repository.keyframe(["blame", "--json", "old.txt"], { cwd: there }).stdout;
    const { blame: lines } = JSON.parse(blame) as { blame: { owner: { tool?: string } | null }[] };
    expect(lines.map(({ owner }) => owner?.tool)).toEqual([undefined, undefined, "robot"]);
    // a second one gets a name of its own
    expect(repository.keyframe(["run", "--agent", "robot", "--", "true"]).stderr).toContain("robot-2");
  });

  test("a run that is killed keeps what it had done by its last quiet moment", async () => {
    const args = [
      keyframeProgram,
      "run",
      "--in",
      "here",
      "--agent",
      "robot",
      "--",
      "sh",
      "-c",
      "echo early > early.txt; read x",
    ];
    const child = spawn(process.execPath, args, {
      cwd: repository.folder,
      env: repository.env,
      stdio: ["pipe", "ignore", "ignore"],
    });
    const ended = new Promise((resolve) => child.once("close", resolve));
    const isCredited = () => repository.keyframe(["status", "--json"]).stdout.includes('"robot');
    while (!isCredited() && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 200));
    child.kill("SIGKILL");
    await ended;
    repository.commit("all");
    expect(readFileSync(join(repository.folder, "early.txt"), "utf8")).toBe("early\n");
    expect(owners("early.txt")).toEqual([["early", "robot"]]);
  });

  test("refuses where Keyframe is disabled, and a command that is not there", () => {
    expect(repository.keyframe(["run", "--in", "here", "--", "no-such-program-at-all"]).code).not.toBe(0);
    expect(repository.keyframe(["run", "--", "no-such-program-at-all"]).code).not.toBe(0);
    // what was made for it is gone again
    expect(repository.git("worktree", "list").split("\n")).toHaveLength(1);
    expect(repository.git("branch", "--list", "keyframe/*")).toBe("");
    expect(repository.keyframe(["disable"]).code).toBe(0);
    expect(run("echo x > x.txt").code).toBe(4);
    expect(existsSync(join(repository.folder, "x.txt"))).toBe(false);
  });
});
