import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createTestRepository, keyframeProgram, type TestRepository } from "../support/test-repository.ts";

let repository: TestRepository;
beforeEach(() => {
  repository = createTestRepository();
  repository.keyframe(["enable"]);
});
afterEach(() => repository.remove());

const own = () => join(repository.folder, ".git/keyframe");
type Findings = Record<"private" | "settings" | "sockets", { kind: string; subject: string; what: string }[]>;
const look = () => JSON.parse(repository.keyframe(["doctor", "--security", "--json"]).stdout) as Findings;
const kinds = (found: { kind: string; subject: string }[]) =>
  found.map(({ kind, subject }) => `${kind} ${subject}`);

test("modes are named, and repaired", () => {
  expect(look().private).toEqual([]);
  chmodSync(own(), 0o755);
  expect(kinds(look().private)).toEqual([`mode ${own()}`]);
  expect(repository.keyframe(["doctor", "--security"]).code).toBe(1);
  repository.keyframe(["doctor", "--security", "--repair"]);
  expect(look().private).toEqual([]);
  expect(statSync(own()).mode & 0o777).toBe(0o700);
});

test("settings that weaken git's checks, or send snapshots away, are named with their remedy", () => {
  repository.git("config", "--global", "safe.directory", "*");
  repository.git("config", "core.sharedRepository", "group");
  repository.git("config", "remote.backup.mirror", "true");
  const subjects = look().settings.map(({ subject }) => subject);
  expect(subjects).toEqual(
    expect.arrayContaining(["safe.directory=*", "core.sharedrepository=group", "remote.backup.mirror=true"]),
  );
  expect(repository.keyframe(["doctor", "--security"]).stdout).toContain(
    "git config --global --unset-all safe.directory",
  );
});

test("directories of programs that anybody can write to are named", () => {
  const open = join(repository.folder, "../open");
  mkdirSync(open);
  chmodSync(open, 0o777);
  repository.env["PATH"] = `${repository.env["PATH"]}:${open}:relative/bin`;
  expect(kinds(look().settings)).toEqual(expect.arrayContaining([`PATH ${open}`, "PATH relative/bin"]));
});

test("a server that listens on a port is named while it runs", async () => {
  const args = [keyframeProgram, "serve", "--port", "0", "--without-token"];
  const server = spawn(process.execPath, args, { cwd: repository.folder, env: repository.env });
  try {
    await once(server.stdout, "data");
    const [found] = look().sockets;
    expect(found?.subject).toMatch(/^port \d+$/);
    expect(found?.what).toContain("without a token");
  } finally {
    server.kill();
    await once(server, "exit");
  }
  expect(look().sockets).toEqual([]);
});
