// Covers src/cli/trace/**.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { TraceRow } from "../../src/system/trace.ts";
import { createTestRepository, keyframeProgram, type TestRepository } from "../support/test-repository.ts";

let repository: TestRepository;
beforeEach(() => {
  repository = createTestRepository();
  repository.env["KEYFRAME_TRACE"] = "all";
  repository.write("f", "1\n");
  repository.commit("one");
});
afterEach(() => repository.remove());

interface Run {
  readonly name: string;
  readonly state: string;
  readonly totalMs: number;
  readonly rows: readonly TraceRow[];
}

const trace = (...flags: string[]) =>
  JSON.parse(repository.keyframe(["trace", "--json", ...flags]).stdout) as Run[];
const folder = () => join(repository.folder, ".git/keyframe/trace");

test("commands and git's hooks leave where their time went, and none of the user's words", () => {
  expect(repository.keyframe(["list"]).code).toBe(0);
  expect(existsSync(join(repository.folder, ".git/keyframe"))).toBe(false);
  repository.keyframe(["enable"]);
  repository.keyframe(["search", "confidential"]);
  repository.keyframe(["session", "show", "confidential"]);
  repository.keyframe(["confidential"]);
  repository.write("g", "2\n");
  repository.git("add", "g");
  repository.keyframe(["hook", "git", "post-commit"]);
  repository.keyframe(["hook", "git", "confidential"]);
  repository.keyframe(["trace"]);
  const runs = trace("--last", "10");
  expect(runs.map(({ name, state }) => [name, state])).toEqual([
    ["enable", "done"],
    ["search", "done"],
    ["session show", "failed"],
    ["hook git post-commit", "done"],
  ]);
  const [enable, search, , hook] = runs;
  expect(enable?.rows.map(({ name }) => name)).toEqual(expect.arrayContaining(["start", "git rev-parse"]));
  expect(search?.rows.map(({ name }) => name)).toEqual(expect.arrayContaining(["settle", "search"]));
  expect(hook?.rows.map(({ name }) => name)).toEqual(["start", "load", "settle", "checkpoints"]);
  for (const { totalMs, rows } of runs)
    expect(totalMs).toBeGreaterThanOrEqual(Math.max(...rows.map((row) => row.totalMs)));
  for (const name of readdirSync(folder()))
    expect(readFileSync(join(folder(), name), "utf8")).not.toContain("confidential");
});

test("the tree is printed with times and self time, the last runs or those of a name", () => {
  repository.keyframe(["enable"]);
  repository.keyframe(["list"]);
  repository.keyframe(["status"]);
  expect(trace("--of", "list").map(({ name }) => name)).toEqual(["list"]);
  expect(trace("--last", "1").map(({ name }) => name)).toEqual(["status"]);
  expect(trace("--last", "0")).toEqual([]);
  const { stdout } = repository.keyframe(["trace", "--of", "list"]);
  expect(stdout.replace(/\d+(\.\d)? ms/g, "T").replace(/ +/g, " ")).toMatch(
    /^\S+ \S+ list T\n times total self longest\n start 1 T\n load 1 T\n(.*\n)* checkpoints 1 T T\n git for-each-ref \d+ T( T)?\n/,
  );
});

test("writers at once lose nothing", async () => {
  repository.keyframe(["enable"]);
  const started = Array.from({ length: 12 }, () =>
    spawn(process.execPath, [keyframeProgram, "hook", "git", "post-merge"], {
      cwd: repository.folder,
      env: repository.env,
      stdio: "ignore",
    }),
  );
  await Promise.all(started.map((child) => once(child, "exit")));
  expect(trace("--last", "100", "--of", "post-merge").map(({ state }) => state)).toEqual(
    Array(12).fill("done"),
  );
});

test("a run that is killed on its way is shown as far as it came", async () => {
  repository.keyframe(["enable"]);
  const silent = createServer(() => undefined);
  silent.listen(0, "127.0.0.1");
  await once(silent, "listening");
  const address = silent.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const child = spawn(process.execPath, [keyframeProgram, "fetch", `http://127.0.0.1:${port}/x.git`], {
    cwd: repository.folder,
    env: repository.env,
    stdio: "ignore",
    detached: true,
  });
  try {
    for (;;) {
      const [run] = trace("--of", "fetch");
      if (run?.state === "running") break;
    }
    const ended = once(child, "exit");
    // with the git that it waits for
    process.kill(-(child.pid ?? 0), "SIGKILL");
    await ended;
    const [run] = trace("--of", "fetch");
    expect(run?.state).toBe("killed");
    expect(run?.rows.at(-1)?.rows.map(({ name }) => name)).toContain("tips");
  } finally {
    silent.close();
    child.kill("SIGKILL");
  }
});

test("no command fails because its record cannot be written", () => {
  repository.keyframe(["enable"]);
  rmSync(folder(), { recursive: true });
  writeFileSync(folder(), "in the way");
  expect(repository.keyframe(["list"]).code).toBe(0);
  expect(repository.keyframe(["hook", "git", "post-commit"])).toMatchObject({ code: 0, stderr: "" });
  expect(trace()).toEqual([]);
  rmSync(folder());
  mkdirSync(folder());
  repository.keyframe(["list"]);
  expect(trace().map(({ name }) => name)).toEqual(["list"]);
});
