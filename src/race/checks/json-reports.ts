import { KeyframeError } from "../../base/errors.ts";
import { addTest, type TestState } from "./check.ts";

type Fields = Readonly<Record<string, unknown>>;

/** CTRF (ctrf.io): tests by suite and name. @throws KeyframeError `invalid-input` */
export function parseCtrf(text: string): Map<string, TestState> {
  const tests = new Map<string, TestState>();
  for (const test of listOf(fieldsOf(parse(text)["results"])["tests"])) {
    const suite = Array.isArray(test["suite"]) ? test["suite"] : [test["suite"]];
    addTest(tests, idOf([...suite, test["name"]]), stateOf(test["status"]));
  }
  return tests;
}

/**
 * What `jest --json` and vitest's json reporter write: tests by file and full name. Files are absolute: `directory` is
 * where they were run. @throws KeyframeError `invalid-input`
 */
export function parseJestJson(text: string, directory: string): Map<string, TestState> {
  const tests = new Map<string, TestState>();
  for (const file of listOf(parse(text)["testResults"])) {
    const name = idOf([file["name"]]).replace(`${directory}/`, "");
    const inside = listOf(file["assertionResults"]);
    // a file that could not be loaded has no tests
    if (inside.length === 0) addTest(tests, name, stateOf(file["status"]));
    for (const test of inside) addTest(tests, idOf([name, test["fullName"]]), stateOf(test["status"]));
  }
  return tests;
}

/** What `go test -json` prints, between other output: tests by package and name. */
export function parseGoJson(text: string): Map<string, TestState> {
  const tests = new Map<string, TestState>();
  for (const line of text.split("\n")) {
    if (!line.startsWith("{")) continue;
    const event = tryParse(line);
    const action = event?.["Action"];
    if (event?.["Test"] !== undefined && (action === "pass" || action === "fail" || action === "skip"))
      addTest(tests, idOf([event["Package"], event["Test"]]), stateOf(action));
  }
  return tests;
}

/** Words of all these formats; what is none of them did not run. */
function stateOf(word: unknown): TestState {
  if (word === "passed" || word === "pass") return "passed";
  return word === "failed" || word === "fail" ? "failed" : "skipped";
}

function idOf(parts: readonly unknown[]): string {
  return parts.filter((part) => typeof part === "string" && part !== "").join(" > ");
}

function parse(text: string): Fields {
  const value = tryParse(text);
  if (value === undefined) throw new KeyframeError("invalid-input", "the report is not a JSON object");
  return value;
}

function tryParse(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Fields) : undefined;
  } catch {
    return undefined; // not JSON: output of something else
  }
}

function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function listOf(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.map(fieldsOf) : [];
}
