import { XMLParser } from "fast-xml-parser";
import { KeyframeError } from "../../base/errors.ts";
import { addTest, type TestState } from "./check.ts";

/** Reports above this are refused, bytes: they come from whatever the lane's tests wrote. */
export const maxReportBytes = 64 * 1024 * 1024;

interface XmlNode {
  readonly [name: string]: unknown;
}

/**
 * Test cases of a JUnit XML report by id (`class > name`). Several of one id count as the worst of them.
 * @throws KeyframeError `invalid-input`
 */
export function parseJunit(text: string): Map<string, TestState> {
  const parser = new XMLParser({
    ignoreAttributes: false,
    attributeNamePrefix: "@",
    parseTagValue: false,
    parseAttributeValue: false,
    processEntities: { enabled: true, maxTotalExpansions: 100_000 },
    isArray: (name) => name === "testcase" || name === "testsuite",
  });
  let document: unknown;
  try {
    document = parser.parse(text, true);
  } catch (error) {
    throw new KeyframeError("invalid-input", "the report is not valid XML", { cause: error });
  }
  const tests = new Map<string, TestState>();
  collect(document, tests, 0);
  return tests;
}

const maxDepth = 50;

function collect(node: unknown, tests: Map<string, TestState>, depth: number): void {
  if (!isNode(node) || depth > maxDepth) return;
  for (const test of listOf(node["testcase"])) addCase(test, tests);
  for (const name of ["testsuites", "testsuite"])
    for (const child of listOf(node[name])) collect(child, tests, depth + 1);
}

function addCase(test: unknown, tests: Map<string, TestState>): void {
  if (!isNode(test)) return;
  const id = [test["@classname"], test["@name"]]
    .filter((part) => typeof part === "string" && part !== "")
    .join(" > ");
  const state: TestState =
    "failure" in test || "error" in test ? "failed" : "skipped" in test ? "skipped" : "passed";
  addTest(tests, id, state);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : value === undefined ? [] : [value];
}

function isNode(value: unknown): value is XmlNode {
  return typeof value === "object" && value !== null;
}
