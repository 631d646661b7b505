// How a race ends that does not run to its end: killed at every step, interrupted, over a limit, on a full disk.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { fileAppears } from "../support/agents/conformance-world.ts";
import { faultPointsInSource } from "../support/fault-points.ts";
import { createTestRepository, keyframeProgram, type TestRepository } from "../support/test-repository.ts";

let repository: TestRepository;
beforeEach(() => {
  repository = createTestRepository();
  repository.write("a.txt", "one\n");
  repository.write(".gitignore", "deps/\n");
  repository.write("deps/lib.js", "1\n");
  repository.commit("start");
  repository.write("mine.txt", "uncommitted\n");
});
afterEach(() => repository.remove());

const home = () => repository.env["HOME"] ?? "";
const beside = (name: string) => join(home(), name);

function checkout() {
  return {
    head: repository.git("rev-parse", "HEAD"),
    index: repository.git("ls-files", "-s"),
    status: repository.git("status", "--porcelain", "--untracked-files=all"),
    config: readFileSync(join(repository.folder, ".git/config"), "utf8"),
    files: ["a.txt", "mine.txt", "deps/lib.js"].map((path) =>
      readFileSync(join(repository.folder, path), "utf8"),
    ),
  };
}

function run(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const all = { ...repository.env, ...env };
  return spawnSync(process.execPath, [keyframeProgram, ...args], {
    cwd: repository.folder,
    env: all,
    encoding: "utf8",
  });
}

function begin(...args: string[]): ChildProcess {
  return spawn(process.execPath, [keyframeProgram, ...args], {
    cwd: repository.folder,
    env: repository.env,
    stdio: ["ignore", "pipe", "pipe"],
  });
}

interface Shown {
  readonly id: string;
  readonly rows: readonly {
    readonly lane: {
      readonly name: string;
      readonly state: string;
      readonly problem?: string;
      readonly waitsFor?: string;
    };
  }[];
}

const show = () => JSON.parse(run(["race", "show", "--json"]).stdout) as Shown;
const states = () => show().rows.map(({ lane }) => [lane.name, lane.state]);

/** Everything that a race can leave. */
function leftovers() {
  const races = join(home(), ".local/state/keyframe/races");
  return {
    worktrees: repository.git("worktree", "list").split("\n").length,
    refs: repository.git("for-each-ref", "--format=%(refname)", "refs/keyframe/race"),
    directories: existsSync(races) ? readdirSync(races) : [],
    records: readdirSync(join(repository.folder, ".git/keyframe/races"), { withFileTypes: true }).map(
      ({ name }) => name,
    ),
    processes: processesOf("KEYFRAME_RACE="),
  };
}

const nothing = { worktrees: 1, refs: "", directories: [], records: [], processes: [] };

function processesOf(words: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      const environment = readFileSync(`/proc/${pid}/environ`, "latin1");
      return /^\d+$/.test(pid) && environment.includes(words) && environment.includes(`HOME=${home()}\0`);
    } catch {
      return false; // not a process, or gone
    }
  });
}

const start = (...more: string[]) => [
  "race",
  "start",
  "--prompt",
  "p",
  "--check",
  "test -f done.txt",
  ...more,
];
const work = "w=echo did > done.txt; cat deps/lib.js >> done.txt";

test("a race that is killed at any step is finished, adopted, taken back and dropped without a trace", () => {
  const before = checkout();
  const points = faultPointsInSource("race:");
  const isOfAdoption = (point: string) => /adoption|notes|branch|index/.test(point);
  expect(points.filter(isOfAdoption)).toHaveLength(4);
  for (const point of points.filter((each) => !isOfAdoption(each))) {
    const killed = run(start("--lane", work), { KEYFRAME_FAULT: point });
    expect([point, killed.signal]).toEqual([point, "SIGKILL"]);
    expect(checkout()).toEqual(before);
    const finished = run(["race", "continue", show().id]);
    expect([point, finished.status, states()]).toEqual([point, 0, [["w", "done"]]]);
    if (point !== points.findLast((each) => !isOfAdoption(each)))
      expect(run(["race", "drop", "--force"]).status).toBe(0);
  }
  for (const point of points.filter(isOfAdoption)) {
    expect([point, run(["race", "adopt", "w"], { KEYFRAME_FAULT: point }).signal]).toEqual([
      point,
      "SIGKILL",
    ]);
    expect([point, run(["race", "adopt", "--undo"]).status]).toEqual([point, 0]);
    expect(checkout()).toEqual(before);
  }
  expect(run(["race", "adopt", "w"]).status).toBe(0);
  expect(repository.git("show", "HEAD:done.txt")).toContain("did");
  expect(run(["race", "adopt", "--undo"]).status).toBe(0);
  expect(checkout()).toEqual(before);
  expect(run(["race", "drop", "--force"]).status).toBe(0);
  expect(leftovers()).toEqual(nothing);
});

test("a full disk ends a lane with its reason, and an interruption ends everything that was started", async () => {
  const before = checkout();
  const full = run(start("--lane", work), { KEYFRAME_FAULT: "race:after-lane-worktree=ENOSPC" });
  expect(full.status).toBe(1);
  // the base passes the point first
  expect(run(["race", "show"]).stdout).toContain("w");
  expect(checkout()).toEqual(before);
  expect(run(["race", "drop", "--force"]).status).toBe(0);

  const survivor = "sh -c 'trap \"\" TERM INT HUP; while :; do sleep 0.2; done'";
  const nasty = `n=(setsid ${survivor} &); (${survivor} &); echo x > ${beside("on")}; ${survivor}`;
  const race = begin(...start("--lane", nasty, "--lane", "later=true", "--parallel", "1"));
  await fileAppears(beside("on"));
  expect(processesOf("KEYFRAME_RACE=").length).toBeGreaterThan(2);
  expect(run(["race", "continue", show().id]).stderr).toContain("is run by process");
  race.kill("SIGINT");
  await new Promise((resolve) => race.once("exit", resolve));
  expect(states()).toEqual([
    ["n", "stopped"],
    ["later", "stopped"],
  ]);
  expect(run(["race", "drop", "--force"]).status).toBe(0);
  expect(leftovers()).toEqual(nothing);
});

test("lanes over their limits are ended and say so; a question is shown; a detached race goes on", async () => {
  const detached = run(
    start(
      ...["--detach", "--json", "--processes", "12", "--disk", "1M", "--limit", "60s", "--parallel", "3"],
      ...["--lane", "many=for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do sleep 60 & done; sleep 60"],
      ...["--lane", "large=head -c 3000000 /dev/zero > large.bin; sleep 60"],
      ...["--lane", "asks=printf 'Go on? [y/N]'; sleep 60"],
    ),
  );
  const { pid } = JSON.parse(detached.stdout) as { readonly pid: number };
  expect(detached.status).toBe(0);
  const until = async (isReached: (shown: Shown) => boolean) => {
    while (!isReached(show())) await delay(300);
  };
  await until(({ rows }) => rows[2]?.lane.waitsFor !== undefined);
  expect(run(["race", "show"]).stdout).toContain("needs input: Go on? [y/N]");
  await until(({ rows }) => rows.slice(0, 2).every(({ lane }) => lane.state === "over-limit"));
  expect(show().rows.map(({ lane }) => lane.problem)).toEqual([
    "more than 12 processes",
    "more than 1048576 bytes written",
    undefined,
  ]);
  process.kill(pid, "SIGTERM");
  await until(({ rows }) => rows[2]?.lane.state === "stopped");
  while (processesOf("KEYFRAME_RACE=").length > 0) await delay(100);
  expect(
    readFileSync(join(repository.folder, ".git/keyframe/races", show().id, "race.log"), "utf8"),
  ).toContain("over-limit");
});

test("submodules, LFS pointers and odd names come into a lane as they are, and stay when its work is adopted", () => {
  const inside = beside("inside");
  const author = ["-c", "protocol.file.allow=always"];
  repository.git("init", "-q", "-b", "main", inside);
  repository.git("-C", inside, "commit", "-q", "--allow-empty", "-m", "inside");
  repository.git(...author, "submodule", "add", "-q", inside, "sub");
  const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n";
  repository.write("big.bin", pointer);
  repository.write('odd "name" ü.txt', "odd\n");
  repository.commit("more");
  repository.write("a.txt", "changed by me\n");
  repository.write("sub/new.txt", "in the submodule\n");
  const before = checkout();
  const see = `git status --porcelain --ignore-submodules=dirty > ${beside("seen")}; cat big.bin > ${beside("pointer")}`;
  expect(
    run(["race", "start", "--prompt", "p", "--lane", `w=${see}; echo did > done.txt; echo theirs >> a.txt`])
      .status,
  ).toBe(0);
  expect(readFileSync(beside("seen"), "utf8").trimEnd()).toBe(
    repository.git("status", "--porcelain", "--ignore-submodules=dirty"),
  );
  expect(readFileSync(beside("pointer"), "utf8")).toBe(pointer);
  expect(checkout()).toEqual(before);
  // what I have changed since in a file of the lane's is in the way
  repository.write("a.txt", "changed again\n");
  const refused = run(["race", "adopt", "w"]);
  expect([refused.status === 0, refused.stderr.includes("a.txt")]).toEqual([false, true]);
  expect(run(["race", "adopt", "w", "--only", "done.txt"]).status).toBe(0);
  expect(repository.git("show", "--format=", "--name-only", "HEAD")).toBe("done.txt");
  expect(readFileSync(join(repository.folder, "a.txt"), "utf8")).toBe("changed again\n");
  expect(readFileSync(join(repository.folder, "sub/new.txt"), "utf8")).toBe("in the submodule\n");
  expect(run(["race", "adopt", "--undo"]).status).toBe(0);
  expect(run(["clean", "--force"]).stdout).not.toContain("race");
  expect(run(["clean", "--older-than", "1ms"]).stdout).toContain("race ");
  expect(run(["clean", "--older-than", "1ms", "--force"]).stdout).toContain("removed  race");
  expect(leftovers()).toEqual(nothing);
});
