// Three real agent programs race against scripted models on a small project with a failing test.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { edit, meanwhile, read, shell } from "../support/agents/agent-actions.ts";
import { type RacingAgents, startRacingAgents } from "../support/agents/racing-agents.ts";
import { realAgents } from "../support/agents/real-agents.ts";
import { isOffline } from "../support/real-claude.ts";
import { createTestRepository, keyframeProgram, type TestRepository } from "../support/test-repository.ts";

// biome-ignore lint/suspicious/noConsole: a test run without these must say so
if (isOffline) console.warn("KEYFRAME_OFFLINE is set: the race of real agents is left out");

const prompt = "REPAIR the failing test of add";
/** An agent that works takes a few seconds on an idle machine. */
const limit = "40s";

const testFile = `const { test } = require("node:test");
const assert = require("node:assert");
test("adds", () => assert.strictEqual(require("./add.js").add(1, 2), 3));
test("adds nothing", () => assert.strictEqual(require("./add.js").add(0, 0), 0));
test("upper", () => assert.strictEqual(require("./text.js").upper("a"), "A"));
`;

let repository: TestRepository;
let agents: RacingAgents;

/** Everything in the checkout and what git says of it. */
function checkout() {
  const { folder } = repository;
  const git = (...args: string[]) => repository.git(...args);
  const files = (directory: string): string[] =>
    readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
      const path = join(directory, entry.name);
      if (entry.name === ".git") return [];
      if (entry.isDirectory()) return files(path);
      const bytes = entry.isSymbolicLink() ? readlinkSync(path) : readFileSync(path);
      return [`${path} ${createHash("sha256").update(bytes).digest("hex")}`];
    });
  return {
    head: git("rev-parse", "HEAD"),
    branch: git("symbolic-ref", "HEAD"),
    index: git("ls-files", "-s"),
    status: git("status", "--porcelain", "--ignored", "--untracked-files=all"),
    config: readFileSync(join(folder, ".git/config"), "utf8"),
    files: files(folder).sort(),
  };
}

function keyframe(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [keyframeProgram, ...args], {
    cwd: repository.folder,
    env: agents.env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (piece: string) => {
    stdout += piece;
  });
  child.stderr.setEncoding("utf8").on("data", (piece: string) => {
    stderr += piece;
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
}

async function ok(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await keyframe(...args);
  expect([args, code, stderr]).toEqual([args, 0, ""]);
  return stdout;
}

const pick = (name: string) => {
  const agent = realAgents.find((each) => each.name === name);
  if (agent === undefined) throw new Error(`no agent ${name}`);
  return agent;
};

interface Row {
  readonly lane: {
    readonly name: string;
    readonly state: string;
    readonly diff: { readonly files: readonly string[] };
    readonly sessions: readonly { readonly tool: string; readonly id: string; readonly turns: number }[];
  };
  readonly passed: number;
  readonly tokens: number;
  readonly tests: Readonly<Record<"fixed" | "broken" | "stillFailing", readonly string[]>>;
}
interface Line {
  readonly content: string;
  readonly owner: { readonly tool?: string; readonly conversation?: string } | null;
}

const factsOf = ({ lane, passed, tests }: Row) => [
  lane.name,
  lane.state,
  passed,
  tests.fixed,
  tests.broken,
  tests.stillFailing,
  lane.diff.files,
];

describe.skipIf(isOffline)("Claude Code, Codex and Pi", () => {
  beforeAll(async () => {
    repository = createTestRepository();
    repository.write("add.js", "// sums\nexports.add = (a, b) => a - b;\n");
    repository.write("text.js", "exports.upper = (text) => text.toUpperCase();\n");
    repository.write("all.test.js", testFile);
    repository.write(".gitignore", "reports/\n");
    repository.write("notes.txt", "committed\n");
    repository.commit("start");
    // what the user is in the middle of
    repository.write("notes.txt", "committed\nstaged\n");
    repository.git("add", "notes.txt");
    repository.write("notes.txt", "committed\nstaged\nnot staged\n");
    repository.write("todo.txt", "untracked\n");
    const never = () => new Promise<void>(() => undefined);
    agents = await startRacingAgents(
      [
        {
          agent: pick("claude"),
          replies: [
            [read("add.js")],
            [
              edit(
                "add.js",
                "exports.add = (a, b) => a - b;",
                "// the sum of two numbers\nexports.add = (a, b) => a + b;",
              ),
            ],
          ],
        },
        {
          agent: pick("codex"),
          replies: [
            [
              edit(
                "text.js",
                "exports.upper = (text) => text.toUpperCase();",
                "exports.upper = (text) => text;",
              ),
            ],
          ],
        },
        { agent: pick("pi"), replies: [[shell("echo begun > begun.txt")], [meanwhile(never)]] },
      ],
      { env: repository.env, cwd: repository.folder, prompt },
    );
    for (const words of [
      ["--agent", "claude"],
      ["--agent", "codex"],
      ["--global", "--agent", "pi"],
    ])
      expect((await keyframe("enable", ...words)).code).toBe(0);
  });
  afterAll(async () => {
    await agents?.close();
    repository?.remove();
  });

  test("one fixes the test, one breaks another, one runs out of time; the fix is adopted and taken back", async () => {
    const before = checkout();
    const started = await keyframe(
      ...["race", "start", "--prompt", prompt, "--json", "--parallel", "3", "--limit", limit],
      ...["--lane", "claude"],
      ...[
        "--lane",
        `codex=codex exec --dangerously-bypass-hook-trust --dangerously-bypass-approvals-and-sandbox "$KEYFRAME_PROMPT"`,
      ],
      ...["--lane", `pi=pi -p --mode json --provider mock --model mock-model "$KEYFRAME_PROMPT"`],
      ...[
        "--check",
        "mkdir -p reports && node --test --test-reporter=junit --test-reporter-destination=reports/j.xml",
      ],
      ...["--check", "junit=reports/*.xml"],
    );
    expect(started.stderr).toBe("");
    expect(checkout()).toEqual(before);
    const { rows } = JSON.parse(started.stdout) as { readonly rows: readonly Row[] };
    expect(rows.map(factsOf)).toEqual([
      ["claude", "done", 2, ["test > adds"], [], [], ["add.js"]],
      ["codex", "done", 0, [], ["test > upper"], ["test > adds"], ["text.js"]],
      ["pi", "timed-out", 0, [], [], ["test > adds"], ["begun.txt"]],
    ]);
    expect(rows.map(({ lane }) => lane.sessions.map(({ tool, turns }) => [tool, turns]))).toEqual([
      [["claude", 1]],
      [["codex", 1]],
      [["pi", 1]],
    ]);
    expect(started.code).toBe(0);
    for (const { tokens } of rows) expect(tokens).toBeGreaterThan(1000);
    const cells = (await ok("race", "show")).split("\n").slice(1, 5);
    expect(cells.map((line) => line.split(/ {2,}/).slice(0, 6))).toEqual([
      ["lane", "state", "checks", "tests", "diff", "files"],
      ["claude", "done", "2/2", "1 fixed", "+2 -1", "1 own, 0 common"],
      ["codex", "done", "0/2", "1 broken", "+1 -1", "1 own, 0 common"],
      ["pi", "timed-out", "0/2", "-", "+1 -0", "1 own, 0 common"],
    ]);

    await ok("race", "adopt", "claude");
    const { blame } = JSON.parse(await ok("blame", "--json", "add.js")) as {
      readonly blame: readonly Line[];
    };
    const session = rows[0]?.lane.sessions[0]?.id;
    expect(blame.map(({ content, owner }) => [content, owner?.tool, owner?.conversation])).toEqual([
      ["// sums", undefined, undefined],
      ["// the sum of two numbers", "claude", session],
      ["exports.add = (a, b) => a + b;", "claude", session],
    ]);
    for (const line of ["2", "3"]) expect(await ok("explain", `add.js:${line}`)).toContain(prompt);
    const after = checkout();
    const others = (files: readonly string[]) => files.filter((file) => !file.includes("/add.js "));
    expect(after.status).toBe(before.status);
    expect(others(after.files)).toEqual(others(before.files));
    expect(after.config).toBe(before.config);
    expect(repository.git("show", "--format=%s", "--name-only", "HEAD")).toBe(`${prompt}\n\nadd.js`);

    await ok("race", "adopt", "--undo");
    expect(checkout()).toEqual(before);
  });
});
