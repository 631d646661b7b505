// Real test programs run as checks, each told to report by a reporter of its own.
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { expect, test } from "vitest";
import type { ToolKind } from "../../src/race/checks/check.ts";
import { WrittenFiles } from "../../src/race/checks/report-files.ts";
import { runChecks } from "../../src/race/checks/run-checks.ts";
import { nodeClock } from "../../src/system/clock.ts";
import { nodeFiles } from "../../src/system/files/files.ts";
import { startContained } from "../../src/system/process/contained-process.ts";
import { scratchFolder } from "../support/scratch.ts";

interface Project {
  readonly kind: ToolKind;
  /** Runs where this is there. */
  readonly program: string;
  readonly command: string;
  readonly files: Readonly<Record<string, string>>;
  readonly tests: Readonly<Record<string, string>>;
  /** Compiles for longer than a test in every run may take: KEYFRAME_TEST_TOOLS=all. */
  readonly isSlow?: boolean;
}

const vitest = resolve("node_modules/vitest/vitest.mjs");

const projects: readonly Project[] = [
  {
    kind: "node",
    program: "node",
    command: "node --test",
    files: {
      "a.test.js": `const { test, describe } = require("node:test"); const assert = require("node:assert");
test("adds", () => {}); describe("group", () => { test("breaks", () => assert.ok(false)); }); test("later", { skip: true }, () => {});`,
    },
    tests: { adds: "passed", breaks: "failed", later: "skipped" },
  },
  {
    kind: "vitest",
    program: "node",
    command: `node ${vitest} run`,
    files: {
      "a.test.js": `import { describe, expect, test } from "${resolve("node_modules/vitest/dist/index.js")}";
test("adds", () => {}); describe("group", () => { test("breaks", () => expect(1).toBe(2)); }); test.skip("later", () => {});`,
    },
    tests: {
      "a.test.js > adds": "passed",
      "a.test.js > group breaks": "failed",
      "a.test.js > later": "skipped",
    },
  },
  {
    kind: "pytest",
    program: "pytest",
    command: "pytest -q",
    files: {
      "test_a.py": `import pytest
def test_adds(): pass
class TestGroup:
    def test_breaks(self): assert False
@pytest.mark.skip
def test_later(): pass
`,
    },
    tests: {
      "test_a > test_adds": "passed",
      "test_a.TestGroup > test_breaks": "failed",
      "test_a > test_later": "skipped",
    },
  },
  {
    kind: "go",
    program: "go",
    command: "go test ./...",
    isSlow: true,
    files: {
      "go.mod": "module m\n\ngo 1.20\n",
      "a_test.go": `package m
import "testing"
func TestAdds(t *testing.T) {}
func TestBreaks(t *testing.T) { t.Run("inside", func(t *testing.T) { t.Fail() }) }
func TestLater(t *testing.T) { t.Skip() }
`,
    },
    tests: {
      "m > TestAdds": "passed",
      "m > TestBreaks": "failed",
      "m > TestBreaks/inside": "failed",
      "m > TestLater": "skipped",
    },
  },
  {
    kind: "cargo",
    program: "cargo",
    command: "cargo test --offline",
    isSlow: true,
    files: {
      "Cargo.toml": '[package]\nname = "m"\nversion = "0.1.0"\nedition = "2021"\n',
      "src/lib.rs": `#[test] fn adds() {}
mod group { #[test] fn breaks() { panic!() } }
#[test] #[ignore] fn later() {}
`,
    },
    tests: {
      "src/lib.rs > adds": "passed",
      "src/lib.rs > group::breaks": "failed",
      "src/lib.rs > later": "skipped",
    },
  },
];

const isThere = (program: string) => spawnSync(program, ["--version"]).error === undefined;
const wanted = projects.filter(
  ({ isSlow }) => isSlow !== true || process.env["KEYFRAME_TEST_TOOLS"] === "all",
);

test.for(wanted)("$kind tells the result of each test", async (project, { skip }) => {
  const { kind, program, command, files, tests } = project;
  skip(!isThere(program), `${program} is not installed`);
  const directory = scratchFolder();
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
  const temporary = join(directory, "..", "tmp");
  mkdirSync(temporary, { recursive: true });
  const { NODE_OPTIONS: _, VITEST: __, ...env } = process.env;
  const place = {
    directory,
    env: { ...env, TMPDIR: temporary, GOFLAGS: "-mod=mod" },
    logPath: join(temporary, "log"),
    marker: `tools-${process.pid}`,
    timeoutMs: 240_000,
    reports: new WrittenFiles(nodeFiles, [{ at: "", directory }]),
  };
  const deps = { files: nodeFiles, clock: nodeClock, startContained };
  const [result] = await runChecks(deps, [{ kind, text: command }], place);
  expect(result?.problem).toBeUndefined();
  const found = Object.entries(result?.tests ?? {}).map(([id, state]) => [
    kind === "node" ? id.split(" > ").at(-1) : id,
    state,
  ]);
  expect(Object.fromEntries(found)).toMatchObject(tests);
  expect([result?.passed, result?.exitCode === 0]).toEqual([false, false]);
});
