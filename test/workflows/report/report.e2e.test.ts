// Covers src/workflows/report/**, src/workflows/ci/change-comment.ts and src/cli/report/**: a pipeline of a pull or merge
// request in a shallow clone of a real git server, with a service that keeps comments as the real ones do.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { text as readAll } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Clone, makeSyncedClones, type SyncedClones } from "../../support/synced-clones.ts";
import { keyframeProgram } from "../../support/test-repository.ts";

let clones: SyncedClones;
let dev: Clone;
let service: Service;
beforeEach(async () => {
  clones = await makeSyncedClones();
  dev = clones.clone("dev");
  service = await startService();
});
afterEach(async () => {
  service.server.close();
  await clones.close();
});

interface Service {
  readonly server: Server;
  readonly url: string;
  readonly comments: { id: number; body: string }[];
  readonly requests: string[];
  mayWrite: boolean;
}

/** Comments of one change, in pages of the size that is asked for; refuses to write with 403. */
async function startService(): Promise<Service> {
  const comments = Array.from({ length: 130 }, (_, id) => ({ id: id + 1, body: `comment ${id}` }));
  const requests: string[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const url = new URL(request.url ?? "/", "http://localhost");
      requests.push(`${request.method} ${url.pathname}`);
      const reply = (status: number, body: unknown) => response.writeHead(status).end(JSON.stringify(body));
      if (request.method === "GET") {
        const [size, page] = ["per_page", "page"].map((name) => Number(url.searchParams.get(name)));
        return reply(200, comments.slice(((page ?? 1) - 1) * (size ?? 30), (page ?? 1) * (size ?? 30)));
      }
      if (!found.mayWrite) return reply(403, { message: "Resource not accessible by integration" });
      const { body } = JSON.parse(await readAll(request)) as { body: string };
      const id = Number(/\/(\d+)$/.exec(url.pathname)?.[1]);
      const old = request.method === "POST" ? undefined : comments.find((comment) => comment.id === id);
      if (old === undefined) comments.push({ id: comments.length + 1, body });
      else old.body = body;
      return reply(old === undefined ? 201 : 200, {});
    })();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const found: Service = { server, url, comments, requests, mayWrite: true };
  return found;
}

/** A branch with lines of an agent and of nobody that is known; returns base and head. */
function openChange(): { base: string; head: string } {
  dev.sh("switch", "-q", "-c", "change", "origin/main");
  dev.write("a", "one\ntwo\n");
  expect(dev.keyframe("checkpoint", "mock_ai", "--session", "s", "a").code).toBe(0);
  dev.commit("by an agent");
  dev.write("b", "three\n");
  dev.commit("by nobody");
  dev.keyframe("settle");
  expect(dev.keyframe("push").code).toBe(0);
  dev.sh("push", "-q", clones.url, "HEAD:refs/pull/7/head", "HEAD:refs/merge-requests/7/head");
  return { base: dev.sh("rev-parse", "origin/main"), head: dev.sh("rev-parse", "HEAD") };
}

async function report(env: NodeJS.ProcessEnv, args: readonly string[] = []) {
  const folder = join(clones.root, `pipeline-${Math.random()}`);
  spawnSync("git", ["clone", "-q", "--depth", "1", clones.url, folder], { env: dev.env });
  const child = spawn(process.execPath, [keyframeProgram, "report", "--ci", ...args], {
    cwd: folder,
    env: { PATH: process.env["PATH"], HOME: dev.home, GIT_CONFIG_NOSYSTEM: "1", ...env },
  });
  const [stdout, stderr, [code]] = await Promise.all([
    readAll(child.stdout),
    readAll(child.stderr),
    once(child, "exit"),
  ]);
  const refs = spawnSync("git", ["for-each-ref", "refs/keyframe/report"], { cwd: folder, encoding: "utf8" });
  expect(refs.stdout).toBe("");
  return { stdout, stderr, code: Number(code) };
}

const github = ({ base, head }: { base: string; head: string }) => {
  const event = join(clones.root, "event.json");
  writeFileSync(
    event,
    JSON.stringify({ pull_request: { number: 7, base: { sha: base }, head: { sha: head } } }),
  );
  return {
    GITHUB_ACTIONS: "true",
    GITHUB_EVENT_NAME: "pull_request",
    GITHUB_EVENT_PATH: event,
    GITHUB_STEP_SUMMARY: join(clones.root, "summary.md"),
    GITHUB_TOKEN: "t",
    GITHUB_REPOSITORY: "o/r",
    GITHUB_API_URL: service.url,
  };
};

test("GitHub: one comment that is written anew, the job's summary, annotations; a gate only where it is told", async () => {
  const env = github(openChange());
  const first = await report(env);
  expect([first.code, first.stderr]).toEqual([0, expect.stringContaining("the comment was created")]);
  expect(first.stderr).toContain("::notice file=b,line=1,endLine=1");
  expect(first.stdout).toContain("| `mock_ai` | 2 | 67 % | 2 at the end |");
  expect(first.stdout).toContain("| `unknown` | 1 | 33 % | no evidence |");
  expect(readFileSync(env.GITHUB_STEP_SUMMARY, "utf8")).toContain("### Who wrote this");
  dev.write("c", "four\nfive\nsix\n");
  dev.commit("more by nobody");
  dev.sh("push", "-q", clones.url, "HEAD:refs/pull/7/head");
  const head = dev.sh("rev-parse", "HEAD");
  const again = await report(github({ base: dev.sh("rev-parse", "origin/main"), head }), [
    "--fail-on",
    "unknown>50%",
  ]);
  expect([again.code, again.stderr]).toEqual([1, expect.stringContaining("the comment was updated")]);
  expect(again.stderr).toContain("unknown: 66.7 %, and the limit is > 50 %");
  expect(service.comments.filter(({ body }) => body.startsWith("<!-- keyframe report -->"))).toHaveLength(1);
  expect(service.comments.at(-1)?.body).toContain("| `unknown` | 4 | 67 %");
  expect(service.requests).toContain("PATCH /repos/o/r/issues/comments/131");
});

test("a token that only reads, as for a fork: the report is in the summary and the output, and nothing fails", async () => {
  service.mayWrite = false;
  const env = github(openChange());
  const { code, stderr } = await report(env);
  expect([code, stderr]).toEqual([0, expect.stringContaining("may not write comments (403)")]);
  expect(readFileSync(env.GITHUB_STEP_SUMMARY, "utf8")).toContain("`mock_ai`");
  expect(clones.remote("for-each-ref", "refs/keyframe")).toBe("");
});

test("GitLab: a note at the merge request", async () => {
  const { base, head } = openChange();
  const { code, stderr, stdout } = await report(
    {
      GITLAB_CI: "true",
      CI_MERGE_REQUEST_IID: "7",
      CI_MERGE_REQUEST_DIFF_BASE_SHA: base,
      CI_COMMIT_SHA: head,
      CI_API_V4_URL: service.url,
      CI_PROJECT_ID: "3",
      KEYFRAME_TOKEN: "t",
    },
    ["--json"],
  );
  expect([code, stderr]).toEqual([0, expect.stringContaining("the comment was created")]);
  expect(JSON.parse(stdout)).toMatchObject({
    commits: 2,
    total: { added: 3, agents: 2, unknown: 1 },
    unknownLines: [{ path: "b", first: 1, last: 1 }],
  });
  expect(service.requests.at(-1)).toBe("POST /projects/3/merge_requests/7/notes");
});

test("outside of such a pipeline it says so", async () => {
  const { code, stderr } = await report({});
  expect([code, stderr]).toEqual([2, expect.stringContaining("not a pipeline of a pull or merge request")]);
});
