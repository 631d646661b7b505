// Covers src/mcp/http-message.ts and src/mcp/message.ts: the protocol's own conformance suite and inspector.
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { installPackage } from "../support/agents/install-package.ts";
import { newerNodeFolder } from "../support/agents/real-agent.ts";
import { type PageServer, startPageServer } from "../support/page-server.ts";
import { scratchFolder } from "../support/scratch.ts";
import { createTestRepository, keyframeProgram, type TestRepository } from "../support/test-repository.ts";

const run = promisify(execFile);
const suite = { name: "@modelcontextprotocol/conformance", version: "0.2.0-alpha.12" };
const inspector = { name: "@modelcontextprotocol/inspector", version: "2.12.0" };

let repository: TestRepository;
let server: PageServer;
beforeAll(async () => {
  repository = createTestRepository();
  repository.write("a.txt", "a\n");
  repository.commit("Start");
  server = await startPageServer(repository, "--without-token");
});
afterAll(() => {
  server?.stop();
  repository.remove();
});

interface Check {
  readonly id: string;
  readonly status: "SUCCESS" | "FAILURE" | "WARNING" | "SKIPPED" | "INFO";
  readonly errorMessage?: string;
}

/** Runs every scenario of one version of the protocol; checks by scenario. */
async function playSuite(version: string): Promise<Map<string, readonly Check[]>> {
  const output = scratchFolder();
  const program = join(
    installPackage(suite.name, suite.version),
    "node_modules",
    suite.name,
    "dist/index.js",
  );
  const args = [
    "server",
    "--url",
    `${server.url}mcp`,
    "--suite",
    "all",
    "--spec-version",
    version,
    "-o",
    output,
  ];
  // it ends with 1 where a scenario needs a tool or a resource that this server does not have
  await run(join(newerNodeFolder(), "node"), [program, ...args], { cwd: output }).catch(() => undefined);
  return new Map(
    readdirSync(output).map((folder) => [
      folder.replace(/^server-/, "").replace(/-\d{4}-\d\d-\d\dT.*$/, ""),
      JSON.parse(readFileSync(join(output, folder, "checks.json"), "utf8")) as readonly Check[],
    ]),
  );
}

/** What the suite says where it asks for its own tools, or for prompts and resources, of which this server has none. */
const notOffered =
  /no such tool; there are|no such method: (prompts|resources|completion|logging)\/|^Not testable: server (does not list|exposes no tool)|^Tool '\w+' not found|^Expected InputRequiredResult|^Prerequisite failed: could not get initial InputRequiredResult/;

describe.each([
  ["2025-11-25", ["dns-rebinding-protection", "ping", "server-initialize", "tools-list"], 8],
  ["2026-07-28", ["dns-rebinding-protection", "http-header-validation", "tools-list"], 40],
])("protocol %s", (version, whole, least) => {
  test("everything that a server of tools can be asked holds", { timeout: 240_000 }, async () => {
    const checks = await playSuite(version);
    for (const scenario of whole) {
      const failed = (checks.get(scenario) ?? []).filter(
        ({ status }) => status === "FAILURE" || status === "WARNING",
      );
      expect(checks.get(scenario)?.length ?? 0, scenario).toBeGreaterThan(0);
      expect(failed, scenario).toEqual([]);
    }
    const all = [...checks.values()].flat();
    const unexplained = all.filter(
      ({ status, errorMessage = "" }) => status === "FAILURE" && !notOffered.test(errorMessage),
    );
    expect(unexplained).toEqual([]);
    expect(all.filter(({ status }) => status === "SUCCESS").length).toBeGreaterThanOrEqual(least);
  });
});

test("the inspector lists the tools and calls one, over both transports", { timeout: 240_000 }, async () => {
  const program = join(installPackage(inspector.name, inspector.version), "node_modules/.bin/mcp-inspector");
  const node = join(newerNodeFolder(), "node");
  const inspect = async (target: readonly string[], ...args: string[]) => {
    const { stdout } = await run(node, [program, "--cli", ...target, ...args], {
      cwd: repository.folder,
      env: repository.env,
    });
    return JSON.parse(stdout) as { tools?: { name: string }[]; content?: { text: string }[] };
  };
  for (const target of [[process.execPath, keyframeProgram, "mcp"], [`${server.url}mcp`]]) {
    const { tools = [] } = await inspect(target, "--method", "tools/list");
    expect(tools.map(({ name }) => name)).toEqual(["why", "search", "open", "tried"]);
    const { content = [] } = await inspect(
      target,
      "--method",
      "tools/call",
      "--tool-name",
      "why",
      "--tool-arg",
      "path=a.txt",
    );
    expect(content[0]?.text).toContain("a.txt:line 1: owner unknown");
  }
});
