import { shellQuote } from "../../base/text/shell-words.ts";
import type { TestState, ToolKind } from "./check.ts";
import { parseGoJson, parseJestJson } from "./json-reports.ts";
import { parseJunit } from "./junit.ts";
import { parseCargo } from "./line-reports.ts";

/** A run of a test program that tells each test's result. */
export interface ToolRun {
  readonly command: string;
  /** Beside the lane's own. */
  readonly env: NodeJS.ProcessEnv;
  /** The report is the file, or what the command printed. */
  readonly from: "file" | "output";
  readonly parse: (text: string, directory: string) => Map<string, TestState>;
}

interface ToolRequest {
  readonly command: string;
  readonly env: NodeJS.ProcessEnv;
  /** Where a report may be written. */
  readonly report: string;
}

/** Makes a test program report through a reporter of its own, whatever else it prints. */
export function planToolRun(kind: ToolKind, request: ToolRequest): ToolRun {
  return tools[kind](request);
}

const tools: Readonly<Record<ToolKind, (request: ToolRequest) => ToolRun>> = {
  node: ({ command, env, report }) => ({
    command,
    env: {
      NODE_OPTIONS: joined(
        env["NODE_OPTIONS"],
        `--test-reporter=spec --test-reporter-destination=stdout --test-reporter=junit --test-reporter-destination=${report}`,
      ),
    },
    from: "file",
    parse: parseJunit,
  }),
  vitest: ({ command, report }) => ({
    command: `${command} --reporter=default --reporter=json --outputFile.json=${shellQuote(report)}`,
    env: {},
    from: "file",
    parse: parseJestJson,
  }),
  jest: ({ command, report }) => ({
    command: `${command} --json --outputFile=${shellQuote(report)}`,
    env: {},
    from: "file",
    parse: parseJestJson,
  }),
  pytest: ({ command, env, report }) => ({
    command,
    env: { PYTEST_ADDOPTS: joined(env["PYTEST_ADDOPTS"], `--junitxml=${shellQuote(report)}`) },
    from: "file",
    parse: parseJunit,
  }),
  go: ({ command }) => ({
    command: command.replace(/\bgo test\b(?! -json)/g, "go test -json"),
    env: {},
    from: "output",
    parse: parseGoJson,
  }),
  cargo: ({ command }) => ({ command, env: {}, from: "output", parse: parseCargo }),
};

function joined(...words: readonly (string | undefined)[]): string {
  return words.filter(Boolean).join(" ");
}
