// Covers src/workflows/ci/**, src/cli/ci/**.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Clone, makeSyncedClones, type SyncedClones } from "../support/synced-clones.ts";
import { keyframeProgram } from "../support/test-repository.ts";

// A real git server over HTTP; the forge's merges are made by git in another clone, as the forge makes them.

let clones: SyncedClones;
let dev: Clone;
let forge: Clone;
beforeEach(async () => {
  clones = await makeSyncedClones();
  dev = clones.clone("dev");
  forge = clones.clone("forge");
});
afterEach(() => clones.close());

const link = (digit: number) => String(digit).repeat(12);

/** A commit of a change: lines of an agent and of a person, and a link. */
function agentCommit(path: string, content: string, checkpoint?: string): string {
  dev.write(path, content);
  const recorded = dev.keyframe("checkpoint", "mock_ai", "--session", `s-${path}`, path);
  expect([recorded.stderr, recorded.code]).toEqual(["", 0]);
  const trailer = checkpoint === undefined ? "" : `\n\nEntire-Checkpoint: ${checkpoint}`;
  const commit = dev.commit(`write ${path} ${content.length}${trailer}`);
  dev.keyframe("settle");
  return commit;
}

/** Pushes the branch of a change with its notes, and the ref that a forge keeps of it. */
function openChange(number: number, kind: "pull" | "merge-requests" = "pull"): void {
  expect(dev.keyframe("push").code).toBe(0);
  dev.sh("push", "-q", clones.url, `HEAD:refs/${kind}/${number}/head`);
}

function startBranch(name: string): void {
  dev.sh("fetch", "-q", "origin", "main");
  dev.sh("switch", "-q", "-c", name, "origin/main");
}

/** What the forge does when somebody presses the button: in a clone without hooks or notes of ours. */
function atForge(
  number: number,
  work: (head: string) => void,
  kind: "pull" | "merge-requests" = "pull",
): string {
  forge.sh("pull", "-q", "origin", "main");
  forge.sh("fetch", "-q", "origin", `refs/${kind}/${number}/head`);
  work(forge.sh("rev-parse", "FETCH_HEAD"));
  forge.sh("push", "-q", "origin", "HEAD:main");
  return forge.sh("rev-parse", "HEAD");
}

function squash(number: number, message: string, kind?: "merge-requests"): string {
  return atForge(
    number,
    (head) => {
      forge.sh("merge", "-q", "--squash", head);
      forge.sh("commit", "-q", "-m", message);
    },
    kind,
  );
}

/** A fresh clone, as a pipeline has one. */
function pipelineClone(name: string, options: readonly string[] = []): string {
  const folder = join(clones.root, name);
  const result = spawnSync("git", ["clone", "-q", ...options, clones.url, folder], { env: dev.env });
  expect(result.stderr.toString()).toBe("");
  return folder;
}

const push = (before: string) => {
  const event = join(clones.root, `event-${before.slice(0, 8)}.json`);
  writeFileSync(
    event,
    JSON.stringify({ ref: "refs/heads/main", before, after: clones.remote("rev-parse", "main") }),
  );
  return { GITHUB_ACTIONS: "true", GITHUB_EVENT_NAME: "push", GITHUB_EVENT_PATH: event };
};

interface Report {
  readonly outcomes: readonly {
    readonly commit: string;
    readonly kind: string;
    readonly evidence?: string;
    readonly lines: number;
    readonly checkpoints: readonly string[];
  }[];
  readonly pushed: boolean;
}

function run(folder: string, env: NodeJS.ProcessEnv, args: readonly string[] = []): Report {
  const result = spawnSync(process.execPath, [keyframeProgram, "ci", "--json", ...args], {
    cwd: folder,
    env: { PATH: process.env["PATH"], HOME: dev.home, GIT_CONFIG_NOSYSTEM: "1", ...env },
  });
  expect([result.stderr.toString(), result.status]).toEqual(["", 0]);
  return JSON.parse(result.stdout.toString()) as Report;
}

/** Owners by blame in a clone that fetched the notes: A an agent, U unknown. */
function owners(path: string): string {
  const folder = pipelineClone(`reader-${Math.random()}`);
  const keyframe = (...args: string[]) =>
    spawnSync(process.execPath, [keyframeProgram, ...args], { cwd: folder, env: dev.env });
  const fetched = keyframe("fetch");
  expect([fetched.stderr.toString(), fetched.status]).toEqual([expect.anything(), 0]);
  const { blame } = JSON.parse(keyframe("blame", "--json", path).stdout.toString()) as {
    blame: { owner?: { kind: string } }[];
  };
  return blame.map(({ owner }) => (owner?.kind === "agent" ? "A" : "U")).join("");
}

const mainBefore = () => clones.remote("rev-parse", "main");

/** Two commits of an agent with links, one by hand between them, and a file that gets another name. */
function makeChange(name = "change"): void {
  startBranch(name);
  agentCommit("a", "1\n2\n", link(1));
  dev.write("a", "0\n1\n2\n");
  dev.commit("by hand");
  agentCommit("b", "x\ny\nz\n", link(2));
  dev.sh("mv", "b", "c");
  dev.commit("another name");
}

describe("a squash merge", () => {
  test("of a message that lost all trailers keeps owners and links; a second run does nothing", () => {
    const before = mainBefore();
    makeChange();
    openChange(7);
    forge.write("other", "1\n");
    forge.commit("meanwhile");
    const merged = squash(7, "Do it (#7)");
    const folder = pipelineClone("ci");
    const trace = join(clones.root, "trace");
    const first = run(folder, { ...push(before), GIT_TRACE: trace });
    expect(readFileSync(trace, "utf8").match(/built-in: git fetch /g)).toHaveLength(1);
    expect(first.pushed).toBe(true);
    expect(first.outcomes).toEqual([
      expect.objectContaining({ kind: "none", lines: 0 }),
      {
        commit: merged,
        kind: "squash",
        change: 7,
        evidence: "message",
        lines: 5,
        checkpoints: [link(1), link(2)],
      },
    ]);
    expect([owners("a"), owners("c"), owners("other")]).toEqual(["UAA", "AAA", "U"]);
    const tip = clones.remote("rev-parse", "refs/notes/ai");
    const second = run(folder, push(before));
    expect([second.pushed, second.outcomes[1]?.kind]).toEqual([false, "noted"]);
    const third = run(pipelineClone("ci-again"), push(before));
    expect([third.pushed, third.outcomes[1]?.kind]).toEqual([false, "noted"]);
    expect(clones.remote("rev-parse", "refs/notes/ai")).toBe(tip);
    expect(spawnSync("git", ["for-each-ref", "refs/keyframe"], { cwd: folder }).stdout.toString()).toBe("");
  });

  test("is linked to its conversations in every clone", () => {
    const before = mainBefore();
    makeChange();
    openChange(7);
    const merged = squash(7, "Do it (#7)");
    run(pipelineClone("ci"), push(before));
    const reader = clones.clone("reader");
    reader.keyframe("fetch");
    const explained = reader.keyframe("explain", "--json");
    const { checkpoints } = JSON.parse(explained.stdout) as {
      checkpoints: { id: string; commits: { oid: string }[] }[];
    };
    expect(checkpoints.map(({ id }) => id).sort()).toEqual([link(1), link(2)]);
    expect(JSON.stringify(checkpoints)).toContain(merged);
  });

  test("whose message names nothing is found by its change, on a base that went on", () => {
    makeChange();
    openChange(7);
    forge.write("other", "1\n");
    forge.commit("meanwhile");
    forge.sh("push", "-q", "origin", "HEAD:main");
    const before = mainBefore();
    squash(7, "Do it");
    expect(run(pipelineClone("ci"), push(before)).outcomes).toEqual([
      expect.objectContaining({ kind: "squash", evidence: "same change", lines: 5 }),
    ]);
    expect([owners("a"), owners("c")]).toEqual(["UAA", "AAA"]);
  });

  test("that names a change it does not come from gets nothing of it", () => {
    makeChange();
    openChange(7);
    const before = mainBefore();
    forge.write("d", "something else\n");
    forge.commit("Do it (#7)");
    forge.sh("push", "-q", "origin", "HEAD:main");
    const [outcome] = run(pipelineClone("ci"), push(before)).outcomes;
    expect(outcome).toMatchObject({ kind: "none", lines: 0, checkpoints: [] });
    expect(owners("d")).toBe("U");
  });

  test("in a shallow clone gets what it lacks", () => {
    const before = mainBefore();
    makeChange();
    openChange(7);
    squash(7, "Do it (#7)");
    const folder = pipelineClone("ci", ["--depth=1"]);
    expect(run(folder, push(before)).outcomes.at(-1)).toMatchObject({ kind: "squash", lines: 5 });
    expect(owners("a")).toBe("UAA");
  });

  test("of GitLab, which merges the squashed commit, is settled as that commit", () => {
    const before = mainBefore();
    makeChange();
    openChange(3, "merge-requests");
    const merge = atForge(
      3,
      (head) => {
        const base = forge.sh("rev-parse", "HEAD");
        forge.sh("merge", "-q", "--squash", head);
        forge.sh("commit", "-q", "-m", "Do it");
        const squashed = forge.sh("rev-parse", "HEAD");
        forge.sh("reset", "-q", "--hard", base);
        forge.sh(
          "merge",
          "-q",
          "--no-ff",
          "-m",
          "Merge branch 'change'\n\nSee merge request group/project!3",
          squashed,
        );
      },
      "merge-requests",
    );
    const env = {
      GITLAB_CI: "true",
      CI_COMMIT_BRANCH: "main",
      CI_COMMIT_BEFORE_SHA: before,
      CI_COMMIT_SHA: merge,
    };
    const report = run(pipelineClone("ci"), env);
    expect(report.outcomes.map(({ kind, lines }) => [kind, lines])).toEqual([
      ["squash", 5],
      ["own", 0],
    ]);
    expect([owners("a"), owners("c")]).toEqual(["UAA", "AAA"]);
  });
});

describe("a rebase merge", () => {
  test.each([
    ["told by the commits themselves", undefined],
    ["told by the service", 9],
  ])("gives each commit what its own one had, %s", async (_name, told) => {
    startBranch("change");
    agentCommit("a", "1\n2\n", link(1));
    dev.write("a", "0\n1\n2\n");
    dev.commit("by hand");
    agentCommit("a", "0\n1\n2\n3\n", link(2));
    openChange(9);
    forge.write("other", "1\n");
    forge.commit("meanwhile");
    forge.sh("push", "-q", "origin", "HEAD:main");
    const before = mainBefore();
    atForge(9, (head) => forge.sh("cherry-pick", `HEAD..${head}`));
    const api = await startApi(() => (told === undefined ? [] : [githubPull(told)]));
    const env =
      told === undefined ? {} : { GITHUB_API_URL: api.url, GITHUB_TOKEN: "t", GITHUB_REPOSITORY: "o/r" };
    const report = await runBeside(pipelineClone("ci"), { ...push(before), ...env });
    api.close();
    // the trailers came along with the messages
    expect(report.outcomes.map(({ kind, lines, checkpoints }) => [kind, lines, checkpoints])).toEqual([
      ["rebase", 2, []],
      ["none", 0, []],
      ["rebase", 1, []],
    ]);
    expect(owners("a")).toBe("UAAA");
  });
});

test("a true merge keeps its commits, whose notes stay", () => {
  const before = mainBefore();
  makeChange();
  openChange(7);
  atForge(7, (head) =>
    forge.sh("merge", "-q", "--no-ff", "-m", "Merge pull request #7 from dev/change", head),
  );
  const report = run(pipelineClone("ci"), push(before));
  expect([report.pushed, report.outcomes.map(({ kind }) => kind)]).toEqual([false, ["own"]]);
  expect([owners("a"), owners("c")]).toEqual(["UAA", "AAA"]);
});

describe("the service's API", () => {
  test("names the change; its answers are not trusted and its failures stop nothing", async () => {
    const before = mainBefore();
    makeChange();
    openChange(7);
    const merged = squash(7, "Do it");
    const asked: { url: string; headers: IncomingHttpHeaders }[] = [];
    const api = await startApi((url, headers) => {
      asked.push({ url, headers });
      return [{ ...githubPull(5), merged_at: null }, { ...githubPull(7), merge_commit_sha: merged }, "odd"];
    });
    const env = { GITHUB_API_URL: api.url, GITHUB_TOKEN: "secret", GITHUB_REPOSITORY: "o/r" };
    const report = await runBeside(pipelineClone("ci"), { ...push(before), ...env });
    expect(report.outcomes).toEqual([expect.objectContaining({ kind: "squash", evidence: "api", lines: 5 })]);
    expect(asked.map(({ url }) => url)).toEqual([`/repos/o/r/commits/${merged}/pulls`]);
    expect(asked[0]?.headers.authorization).toBe("Bearer secret");
    api.close();
  });

  test("of GitLab is asked with its own token", async () => {
    const before = mainBefore();
    makeChange();
    openChange(3, "merge-requests");
    const merged = squash(3, "Do it", "merge-requests");
    const api = await startApi((url, headers) => {
      expect([url, headers["private-token"]]).toEqual([
        `/projects/42/repository/commits/${merged}/merge_requests`,
        "secret",
      ]);
      return [{ iid: 3, state: "merged", squash_commit_sha: merged }];
    });
    const report = await runBeside(pipelineClone("ci"), {
      GITLAB_CI: "true",
      CI_COMMIT_BRANCH: "main",
      CI_COMMIT_BEFORE_SHA: before,
      CI_API_V4_URL: api.url,
      CI_PROJECT_ID: "42",
      KEYFRAME_TOKEN: "secret",
    });
    api.close();
    expect(report.outcomes).toEqual([expect.objectContaining({ kind: "squash", evidence: "api", lines: 5 })]);
  });

  test("that refuses is told once, and messages and refs are used instead", async () => {
    const before = mainBefore();
    makeChange();
    openChange(7);
    squash(7, "Do it (#7)");
    const api = await startApi(() => undefined);
    const env = { GITHUB_API_URL: api.url, GITHUB_TOKEN: "t", GITHUB_REPOSITORY: "o/r" };
    const result = await start(pipelineClone("ci"), { ...push(before), ...env });
    api.close();
    expect(result.stderr).toMatch(/answered 403/);
    expect(JSON.parse(result.stdout)).toMatchObject({ outcomes: [{ kind: "squash", evidence: "message" }] });
  });
});

test("two pipelines at once both get their notes in", async () => {
  makeChange("one");
  openChange(1);
  startBranch("two");
  agentCommit("e", "1\n2\n");
  openChange(2);
  const before = mainBefore();
  squash(1, "One (#1)");
  const between = mainBefore();
  squash(2, "Two (#2)");
  const [one, two] = await Promise.all([
    start(pipelineClone("ci-1"), push(before), ["--after", between]),
    start(pipelineClone("ci-2"), push(between)),
  ]);
  expect([one.code, two.code]).toEqual([0, 0]);
  expect([owners("a"), owners("e")]).toEqual(["UAA", "AA"]);
});

test.each([
  ["GitHub", { GITHUB_ACTIONS: "true", GITHUB_EVENT_NAME: "pull_request" }],
  ["GitHub, with the base's rights", { GITHUB_ACTIONS: "true", GITHUB_EVENT_NAME: "pull_request_target" }],
  ["GitLab", { GITLAB_CI: "true", CI_COMMIT_BRANCH: "main", CI_PIPELINE_SOURCE: "merge_request_event" }],
])("a pull request's own pipeline never writes: %s", (_name, env) => {
  makeChange();
  openChange(7);
  squash(7, "Do it (#7)");
  const notes = clones.remote("rev-parse", "refs/notes/ai");
  expect(run(pipelineClone("ci"), env)).toMatchObject({ outcomes: [], pushed: false });
  expect(clones.remote("rev-parse", "refs/notes/ai")).toBe(notes);
});

test("a pipeline that something else started writes nothing and says so, unless it names the commits", () => {
  const before = mainBefore();
  makeChange();
  openChange(7);
  squash(7, "Do it (#7)");
  const notes = clones.remote("rev-parse", "refs/notes/ai");
  const clone = pipelineClone("ci");
  const comment = { GITHUB_ACTIONS: "true", GITHUB_EVENT_NAME: "issue_comment" };
  const tag = { GITLAB_CI: "true", CI_COMMIT_TAG: "v1", CI_PIPELINE_SOURCE: "push" };
  for (const [name, env] of [
    ["issue_comment", comment],
    ["push", tag],
  ] as const) {
    const skipped = expect.stringContaining(`Nothing is written for a pipeline of kind "${name}"`);
    expect(run(clone, env)).toMatchObject({ outcomes: [], pushed: false, skipped });
  }
  expect(clones.remote("rev-parse", "refs/notes/ai")).toBe(notes);
  expect(run(clone, comment, ["--before", before, "--dry-run"])).toMatchObject({
    outcomes: [{ kind: "squash", lines: 5 }],
  });
});

test("without a pipeline, --before and --dry-run show what would be noted", () => {
  const before = mainBefore();
  makeChange();
  openChange(7);
  squash(7, "Do it (#7)");
  const notes = clones.remote("rev-parse", "refs/notes/ai");
  expect(run(pipelineClone("ci"), {}, ["--before", before, "--dry-run"])).toMatchObject({
    outcomes: [{ kind: "squash", lines: 5 }],
    pushed: false,
  });
  expect(clones.remote("rev-parse", "refs/notes/ai")).toBe(notes);
});

test("a pipeline without the right to push says so and fails", () => {
  const before = mainBefore();
  makeChange();
  openChange(7);
  squash(7, "Do it (#7)");
  const hook = join(clones.remoteFolder, "hooks/pre-receive");
  writeFileSync(hook, "#!/bin/sh\necho no notes here >&2\nexit 1\n", { mode: 0o755 });
  const result = spawnSync(process.execPath, [keyframeProgram, "ci"], {
    cwd: pipelineClone("ci"),
    env: { ...dev.env, ...push(before) },
  });
  expect(result.status).toBe(6);
  expect(result.stderr.toString()).toMatch(/notes were not pushed.*contents: write/s);
});

test("a remote that squashes is told once at a push and always by doctor, until a pipeline carries links", () => {
  const doctor = () =>
    JSON.parse(dev.keyframe("doctor", "--json").stdout) as { merges: { what: string; repair: string }[] };
  dev.keyframe("enable");
  makeChange("one");
  openChange(1);
  squash(1, "One (#1)");
  startBranch("two");
  agentCommit("e", "1\n");
  openChange(2);
  squash(2, "Two (#2)");
  startBranch("three");
  expect(doctor().merges).toEqual([
    expect.objectContaining({
      what: expect.stringMatching(/^2 of the last 3 commits of origin\/main were squashed/),
      repair: expect.stringContaining("keyframe ci install"),
    }),
  ]);
  const said = () => {
    agentCommit(`f${Math.random()}`, "1\n");
    const result = spawnSync("git", ["push", "origin", "HEAD:three"], { cwd: dev.folder, env: dev.env });
    return result.stderr.toString();
  };
  expect(said()).toMatch(/keyframe: 2 of the last 3 .* squashed .*ci install/);
  expect(said()).not.toContain("squashed");
  dev.keyframe("ci", "install", "--forge", "github");
  dev.commit("pipeline");
  dev.sh("push", "-q", "origin", "HEAD:main");
  expect(doctor().merges).toEqual([]);
});

describe("keyframe ci install", () => {
  test("writes GitHub's workflow once, and leaves somebody else's file alone", () => {
    const install = (...args: string[]) => dev.keyframe("ci", "install", "--forge", "github", ...args);
    const path = join(dev.folder, ".github/workflows/keyframe.yml");
    expect(JSON.parse(install("--dry-run", "--json").stdout)).toMatchObject({
      applied: false,
      branch: "main",
    });
    expect(existsSync(path)).toBe(false);
    expect(install().code).toBe(0);
    const text = readFileSync(path, "utf8");
    expect(text).toContain("keyframe-cli@");
    expect(text).toContain('branches: ["main"]');
    expect(text).not.toContain("pull_request");
    const report = readFileSync(join(dev.folder, ".github/workflows/keyframe-report.yml"), "utf8");
    expect(report).toContain("report --ci");
    expect(report).not.toContain("contents: write");
    expect(JSON.parse(install("--json").stdout)).toMatchObject({ changes: [] });
    writeFileSync(path, "name: mine\n");
    expect(install()).toMatchObject({ code: 4, stderr: expect.stringContaining("not written by Keyframe") });
  });

  test("writes GitLab's job, and its own file only where there is none", () => {
    const install = (...args: string[]) => dev.keyframe("ci", "install", ...args);
    expect(install()).toMatchObject({ code: 2, stderr: expect.stringContaining("--forge") });
    expect(install("--forge", "gitlab", "--branch", "trunk").code).toBe(0);
    expect(readFileSync(join(dev.folder, ".gitlab/keyframe.yml"), "utf8")).toContain(
      '$CI_COMMIT_BRANCH == "trunk"',
    );
    expect(readFileSync(join(dev.folder, ".gitlab-ci.yml"), "utf8")).toContain("local: .gitlab/keyframe.yml");
    writeFileSync(join(dev.folder, ".gitlab-ci.yml"), "stages: [test]\n");
    expect(install("--branch", "trunk").stderr).toContain("- local: .gitlab/keyframe.yml");
    expect(readFileSync(join(dev.folder, ".gitlab-ci.yml"), "utf8")).toBe("stages: [test]\n");
  });
});

function githubPull(number: number): object {
  const head = clones.remote("for-each-ref", "--format=%(objectname)", `refs/pull/${number}/head`);
  return { number, state: "closed", merged_at: "2026-01-01T00:00:00Z", head: { sha: head } };
}

/** Answers every question with what it is told; undefined: no rights. */
async function startApi(
  answer: (url: string, headers: IncomingHttpHeaders) => unknown,
): Promise<{ readonly url: string; close(): void }> {
  const server: Server = createServer((request, response) => {
    const body = answer(request.url ?? "", request.headers);
    response.writeHead(body === undefined ? 403 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify(body ?? { message: "Forbidden" }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => void server.close(),
  };
}

/** Beside this process, which serves the API meanwhile. */
async function start(
  folder: string,
  env: NodeJS.ProcessEnv,
  args: readonly string[] = [],
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const child = spawn(process.execPath, [keyframeProgram, "ci", "--json", ...args], {
    cwd: folder,
    env: { PATH: process.env["PATH"], HOME: dev.home, GIT_CONFIG_NOSYSTEM: "1", ...env },
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const [code] = (await once(child, "close")) as [number];
  return { code, stdout, stderr };
}

async function runBeside(folder: string, env: NodeJS.ProcessEnv): Promise<Report> {
  const result = await start(folder, env);
  expect([result.stderr, result.code]).toEqual(["", 0]);
  return JSON.parse(result.stdout) as Report;
}
