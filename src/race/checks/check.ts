import { KeyframeError } from "../../base/errors.ts";

/** Something that is run in each lane after its agent has ended, and in the base first. */
export interface CheckSpec {
  readonly kind: "command" | "junit" | "bench";
  /** A shell command; for `junit` a pattern of report files that an earlier command writes. */
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

/** `npm test` or `junit=reports/*.xml`. @throws KeyframeError `usage` */
export function parseCheck(text: string): CheckSpec {
  const junit = /^junit=(.+)$/.exec(text);
  const spec: CheckSpec =
    junit?.[1] === undefined ? { kind: "command", text } : { kind: "junit", text: junit[1] };
  if (spec.text.trim() === "") throw new KeyframeError("usage", "--check needs a command or junit=<pattern>");
  return spec;
}

export function parseBench(text: string): CheckSpec {
  if (text.trim() === "") throw new KeyframeError("usage", "--bench needs a command");
  return { kind: "bench", text };
}
