import { expect, test } from "vitest";
import { noTokens } from "../../../src/checkpoints/record/token-usage.ts";
import { readChangeRequest } from "../../../src/workflows/ci/change-request.ts";
import { failureOf, parseGate } from "../../../src/workflows/report/fail-on.ts";
import {
  githubAnnotations,
  reportHtml,
  reportMarkdown,
  reportSarif,
} from "../../../src/workflows/report/render-report.ts";
import type { ReportFacts } from "../../../src/workflows/report/report-facts.ts";
import { hintsOf, isTestPath } from "../../../src/workflows/report/report-hints.ts";

const counts = { added: 10, deleted: 1, agents: 6, humans: 1, unknown: 3, accepted: 5, overridden: 1 };
const nasty = "a`|<script>&\n::error::x";
const facts: ReportFacts = {
  range: "main..HEAD",
  end: "e".repeat(40),
  commits: 2,
  notedCommits: 1,
  total: counts,
  agents: [{ tool: "claude", model: nasty, added: 6, accepted: 5, overridden: 1, overriddenBeforeCommit: 0 }],
  humans: [{ identity: "Ann <ann@example.com>", lines: 1 }],
  files: [{ path: "src/a.test.ts", ...counts }],
  tests: ["src/a.test.ts"],
  tokens: { ...noTokens, inputTokens: 7, outputTokens: 8 },
  sessions: [{ checkpoint: "c".repeat(12), agent: "claude", model: "m", tokens: noTokens, prompts: [nasty] }],
  unknownLines: [{ path: "src/a b:,%.ts", first: 2, last: 4 }],
  hints: [{ rule: "no-notes", text: "1 of 2 commits have no authorship note." }],
};

test.each([
  ["unknown>50%", false],
  ["unknown > 29.9 %", true],
  ["unknown>=3", true],
  ["humans<2", true],
  ["agents<=5", false],
])("%s holds: %s", (text, holds) => {
  expect(failureOf(parseGate(text), facts) !== undefined).toBe(holds);
});

test("a range that adds nothing fails no gate", () => {
  expect(failureOf(parseGate("unknown>=0%"), { total: { ...counts, added: 0, unknown: 0 } })).toBeUndefined();
});

test.each(["", "unknown", "bots>1", "unknown>1e9", "unknown=5", "unknown>-1"])(
  "%j is not a condition",
  (text) => {
    expect(() => parseGate(text)).toThrow(/is not a condition/);
  },
);

test("Markdown keeps what others wrote inside code, one line each", () => {
  const text = reportMarkdown(facts);
  expect(text).toMatch(/^<!-- keyframe report -->\n/);
  expect(text).toContain("| `Ann` | 1 | 10 % | known human |");
  expect(text).toContain("| `unknown` | 3 | 30 % | no evidence |");
  expect(text).toContain("Tokens: 7 in, 8 out, in the conversations of 1 checkpoint.");
  expect(text).not.toContain("\n::error");
  expect(text.replace(/`[^`\n]*`/g, "")).not.toMatch(/<script|a\|/);
});

test("HTML holds no markup and no workflow command of others", () => {
  const html = reportHtml(facts);
  expect(html).not.toMatch(/<script|\n::/);
  expect(html).toContain("default-src 'none'");
});

test("SARIF names places and rules that it declares", () => {
  const { runs } = reportSarif(facts) as {
    runs: {
      tool: { driver: { rules: { id: string }[] } };
      results: { ruleId: string; locations?: object[] }[];
    }[];
  };
  const rules = runs[0]?.tool.driver.rules.map(({ id }) => id);
  expect(runs[0]?.results.map(({ ruleId }) => ruleId)).toEqual(["unknown-lines", "no-notes"]);
  expect(rules).toEqual(expect.arrayContaining(["unknown-lines", "no-notes"]));
  expect(runs[0]?.results[0]?.locations).toEqual([
    {
      physicalLocation: {
        artifactLocation: { uri: "src/a%20b%3A%2C%25.ts" },
        region: { startLine: 2, endLine: 4 },
      },
    },
  ]);
});

test("annotations escape what would end a property", () => {
  expect(githubAnnotations(facts)).toEqual([
    "::notice file=src/a b%3A%2C%25.ts,line=2,endLine=4,title=Owner unknown::No evidence tells who wrote these lines.",
  ]);
});

test("hints are facts", () => {
  const { hints: _hints, ...rest } = facts;
  const rulesOf = (more: Partial<ReportFacts>) => hintsOf({ ...rest, ...more }).map(({ rule }) => rule);
  expect(rulesOf({})).toEqual(["no-notes"]);
  expect(rulesOf({ notedCommits: 2, tests: [] })).toEqual(["no-tests"]);
  expect(rulesOf({ notedCommits: 2, total: { ...counts, unknown: 5 } })).toEqual(["unknown-share"]);
  expect(rulesOf({ notedCommits: 2, files: [{ path: "test/x.ts", ...counts, agents: 10 }] })).toEqual([
    "agent-tests",
  ]);
});

test.each([
  ["test/a.ts", true],
  ["src/__tests__/a.js", true],
  ["pkg/a_test.go", true],
  ["a.spec.ts", true],
  ["tests/test_a.py", true],
  ["src/ParserTest.java", true],
  ["src/latest.ts", false],
  ["src/contest/a.ts", false],
  ["src/attest.ts", false],
])("%s holds tests: %s", (path, expected) => expect(isTestPath(path)).toBe(expected));

const oid = (digit: string) => digit.repeat(40);

test("the change that a pipeline runs for", () => {
  const event = (change: object) => JSON.stringify({ pull_request: change });
  const github = { GITHUB_ACTIONS: "true" };
  expect(
    readChangeRequest(github, event({ number: 5, base: { sha: oid("1") }, head: { sha: oid("2") } })),
  ).toEqual({ forge: "github", number: 5, base: oid("1"), head: oid("2") });
  expect(
    readChangeRequest(github, event({ number: 5, base: { sha: "--x" }, head: { sha: oid("2") } })),
  ).toBeUndefined();
  expect(readChangeRequest(github, "not json")).toBeUndefined();
  expect(readChangeRequest({}, undefined)).toBeUndefined();
  const gitlab = { GITLAB_CI: "true", CI_MERGE_REQUEST_IID: "7", CI_MERGE_REQUEST_DIFF_BASE_SHA: oid("1") };
  expect(readChangeRequest({ ...gitlab, CI_COMMIT_SHA: oid("3") }, undefined)).toMatchObject({
    number: 7,
    head: oid("3"),
  });
  expect(
    readChangeRequest(
      { ...gitlab, CI_COMMIT_SHA: oid("3"), CI_MERGE_REQUEST_SOURCE_BRANCH_SHA: oid("2") },
      undefined,
    ),
  ).toMatchObject({ forge: "gitlab", head: oid("2") });
});
