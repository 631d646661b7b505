// Covers src/cli/remote-helper/**.
import { execFileSync, spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { SandboxRecord } from "../../src/sandbox/store/records.ts";
import { openSandboxLab, type SandboxLab } from "../support/sandbox-context.ts";

// A repository inside a machine as a remote of the real git.

let lab: SandboxLab;
let sandbox: SandboxRecord;
const folder = mkdtempSync(join(tmpdir(), "sbx-git-"));

beforeAll(async () => {
  lab = openSandboxLab();
  ({ record: sandbox } = await lab.boot("work"));
  mkdirSync(join(folder, "bin"));
  symlinkSync(resolve("dist/git-remote-keyframe.cjs"), join(folder, "bin/git-remote-keyframe"));
  putGitInside();
  await lab.sh(sandbox, "git init -q --bare /srv/project.git");
});
afterAll(async () => {
  await lab?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** This machine's git with its libraries, as an image with git would have it. */
function putGitInside(): void {
  const program = realpathSync(execFileSync("which", ["git"], { encoding: "utf8" }).trim());
  const libraries = execFileSync("ldd", [program], { encoding: "utf8" });
  const copies = [...libraries.matchAll(/=> (\/\S+) \(0x/g)].map((match) => match[1] ?? "");
  for (const [from, to] of [[program, "/usr/bin/git"], ...copies.map((path) => [path, path])])
    expect(lab.cli(["sandbox", "cp", from ?? "", `work:${to}`]).code).toBe(0);
}

function git(cwd: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync("git", args, {
    cwd,
    encoding: "utf8",
    timeout: 120_000,
    env: {
      PATH: `${folder}/bin:${process.env["PATH"]}`,
      HOME: folder,
      KEYFRAME_SANDBOX_HOME: lab.context.home.root,
      GIT_AUTHOR_NAME: "A",
      GIT_AUTHOR_EMAIL: "a@example.com",
      GIT_COMMITTER_NAME: "A",
      GIT_COMMITTER_EMAIL: "a@example.com",
    },
  });
  return { status, stdout, stderr };
}

test("push, clone and fetch go over the guest channel", () => {
  const [one, two] = [join(folder, "one"), join(folder, "two")];
  expect(git(folder, "init", "-q", "-b", "main", one).status).toBe(0);
  writeFileSync(join(one, "large"), Buffer.alloc(2_000_000, "content of some length\n"));
  git(one, "add", ".");
  git(one, "commit", "-q", "-m", "first");
  const pushed = git(one, "push", "keyframe::work/srv/project.git", "main");
  expect([pushed.status, pushed.stderr]).toEqual([0, expect.stringContaining("main -> main")]);
  const cloned = git(folder, "clone", "-q", "-b", "main", "keyframe::work/srv/project.git", two);
  expect([cloned.status, cloned.stderr]).toEqual([0, ""]);
  expect(readFileSync(join(two, "large")).equals(readFileSync(join(one, "large")))).toBe(true);
  git(one, "commit", "-q", "--allow-empty", "-m", "second");
  git(one, "push", "-q", "keyframe::work/srv/project.git", "main");
  expect(git(two, "fetch", "-q", "origin").status).toBe(0);
  expect(git(two, "log", "-1", "--format=%s", "origin/main").stdout.trim()).toBe("second");
});

test("what is not there is git's error, with the reason", () => {
  const none = git(folder, "ls-remote", "keyframe::work/srv/none.git");
  expect([none.status, none.stderr]).toEqual([128, expect.stringContaining("/srv/none.git")]);
  expect(git(folder, "ls-remote", "keyframe::nobody/srv/x").stderr).toContain("nobody");
  expect(git(folder, "ls-remote", "keyframe::work").stderr).toContain("keyframe::work/root/project");
});
