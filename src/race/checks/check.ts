import { KeyframeError } from "../../base/errors.ts";

/** Reports that a command before wrote, and test programs that are made to write one. */
export const reportKinds = ["junit", "ctrf", "tap"] as const;
export const toolKinds = ["node", "vitest", "jest", "pytest", "go", "cargo"] as const;
export type ReportKind = (typeof reportKinds)[number];
export type ToolKind = (typeof toolKinds)[number];

/** Something that is run in each lane after its agent has ended, and in the base first. */
export interface CheckSpec {
  readonly kind: "command" | "bench" | ReportKind | ToolKind;
  /** A shell command; for a report the pattern of its files. */
  readonly text: string;
}

export type TestState = "passed" | "failed" | "skipped";

export interface CheckResult {
  readonly kind: CheckSpec["kind"];
  readonly text: string;
  readonly passed: boolean;
  readonly exitCode?: number;
  readonly durationMs?: number;
  readonly timedOut?: boolean;
  /** By id, for reports. */
  readonly tests?: Readonly<Record<string, TestState>>;
  /** Tests that failed and passed when they ran again. */
  readonly flaky?: readonly string[];
  /** Numbers by name, of benchmarks, in the order they were printed. */
  readonly numbers?: Readonly<Record<string, readonly number[]>>;
  readonly problem?: string;
}

/** `npm test`, `junit=reports/*.xml` or `vitest=npx vitest run`. @throws KeyframeError `usage` */
export function parseCheck(text: string): CheckSpec {
  const [, word = "", rest = ""] = /^([a-z]+)=(.+)$/s.exec(text) ?? [];
  const kind = [...reportKinds, ...toolKinds].find((each) => each === word);
  const spec: CheckSpec = kind === undefined ? { kind: "command", text } : { kind, text: rest };
  if (spec.text.trim() === "")
    throw new KeyframeError("usage", "--check needs a command, <test program>=<command> or junit=<pattern>");
  return spec;
}

export function parseBench(text: string): CheckSpec {
  if (text.trim() === "") throw new KeyframeError("usage", "--bench needs a command");
  return { kind: "bench", text };
}

export function isReport(kind: CheckSpec["kind"]): kind is ReportKind {
  return reportKinds.some((each) => each === kind);
}

export function isTool(kind: CheckSpec["kind"]): kind is ToolKind {
  return toolKinds.some((each) => each === kind);
}

/** Tests of one report beside those of another: several of one id count as the worst of them. */
export function addTest(tests: Map<string, TestState>, id: string, state: TestState): void {
  if (id !== "" && tests.size < maxTests && tests.get(id) !== "failed") tests.set(id, state);
}

const maxTests = 200_000;
