import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestRepository, keyframeProgram, type TestRepository } from "../support/test-repository.ts";

let repository: TestRepository;
let copy: string;

/** The program without the chunks that other commands are made of. */
beforeAll(() => {
  repository = createTestRepository();
  repository.write("f.txt", "one\n");
  repository.commit("first");
  copy = mkdtempSync(join(tmpdir(), "keyframe-reading-"));
  cpSync(dirname(keyframeProgram), copy, { recursive: true });
  rmSync(join(copy, "cli/main.js"));
  rmSync(join(copy, "chunks"), { recursive: true });
});
afterAll(() => {
  repository.remove();
  rmSync(copy, { recursive: true, force: true });
});

function run(args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(copy, "keyframe.cjs"), ...args], {
    cwd: repository.folder,
    env: repository.env,
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

test.each([
  ["blame", ["blame", "f.txt"]],
  ["list", ["list", "--json"]],
  ["its other name", ["ls", "--json"]],
  ["log", ["log", "-1"]],
  ["stats", ["stats", "--json"]],
  ["status", ["status", "--json"]],
  ["help of one of them", ["stats", "--help"]],
  ["explain of what is not there", ["explain", "0123456789ab"]],
  ["show of a commit without a note", ["show"]],
])("%s needs nothing but its one file, and says what it says from everywhere", (_, args) => {
  const whole = spawnSync(process.execPath, [keyframeProgram, ...args], {
    cwd: repository.folder,
    env: repository.env,
    encoding: "utf8",
  });
  expect(run(args)).toEqual({ status: whole.status, stdout: whole.stdout, stderr: whole.stderr });
  expect(whole.stderr).not.toContain("is not in this file");
  expect(whole.stderr).not.toContain("Cannot find module");
});

test("other commands are made of chunks", () => {
  expect(run(["version"]).stderr).toContain("main.js");
});
