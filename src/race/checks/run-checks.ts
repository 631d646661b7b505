import { join } from "node:path";
import { errorText, KeyframeError } from "../../base/errors.ts";
import type { Clock } from "../../system/clock.ts";
import type { Files } from "../../system/files/files.ts";
import type { ContainedOptions, ContainedProcess } from "../../system/process/contained-process.ts";
import type { OverlayView } from "../../system/process/overlays.ts";
import {
  addTest,
  type CheckResult,
  type CheckSpec,
  isReport,
  isTool,
  type ReportKind,
  type TestState,
  type ToolKind,
} from "./check.ts";
import { parseCtrf } from "./json-reports.ts";
import { maxReportBytes, parseJunit } from "./junit.ts";
import { parseTap } from "./line-reports.ts";
import type { ReportFiles } from "./report-files.ts";
import { planToolRun } from "./test-tools.ts";

export type StartContained = (command: string, options: ContainedOptions) => ContainedProcess;

export interface CheckDeps {
  readonly files: Files;
  readonly clock: Clock;
  readonly startContained: StartContained;
}

export interface CheckPlace {
  /** Where the checks run. */
  readonly directory: string;
  readonly env: NodeJS.ProcessEnv;
  readonly logPath: string;
  readonly marker: string;
  /** For each command. */
  readonly timeoutMs: number;
  /** What the commands see in place of what is there. */
  readonly view?: OverlayView;
  /** What they write. */
  readonly reports: ReportFiles;
}

const benchRepetitions = 3;

/** Runs checks in order in one directory. A command whose report shows failures runs once more, to find flaky tests. */
export async function runChecks(
  deps: CheckDeps,
  specs: readonly CheckSpec[],
  place: CheckPlace,
): Promise<CheckResult[]> {
  await removeReports(specs, place);
  const results: CheckResult[] = [];
  let command: string | undefined;
  for (const spec of specs) {
    const { kind, text } = spec;
    if (kind === "bench") results.push(await runBench(deps, spec, place));
    else if (isReport(kind)) results.push(await readReports(deps, { kind, text, command }, place));
    else if (isTool(kind)) results.push(await runTool(deps, { kind, text }, place));
    else {
      command = text;
      results.push(await runCommand(deps, spec, place));
    }
  }
  return results;
}

async function run(deps: CheckDeps, text: string, place: CheckPlace): Promise<Ran> {
  const { directory: cwd, reports: _, ...options } = place;
  const startedMs = deps.clock.nowMs();
  const { ended } = deps.startContained(text, { ...options, cwd, stdin: "" });
  const { code, timedOut } = await ended;
  return { code, timedOut, durationMs: deps.clock.nowMs() - startedMs };
}

interface Ran {
  readonly code: number;
  readonly timedOut: boolean;
  readonly durationMs: number;
}

/** With what the command printed. */
async function runForOutput(
  deps: CheckDeps,
  text: string,
  place: CheckPlace,
): Promise<Ran & { output: string }> {
  const from = deps.files.statIfExists(place.logPath)?.sizeBytes ?? 0;
  const ran = await run(deps, text, place);
  const pieces: Buffer[] = [];
  let size = 0;
  for (const chunk of deps.files.readChunks(place.logPath, { offsetBytes: from })) {
    size += chunk.length;
    if (size > maxReportBytes)
      throw new KeyframeError("too-large", `the command printed more than ${maxReportBytes} bytes`);
    pieces.push(Buffer.from(chunk));
  }
  return { ...ran, output: Buffer.concat(pieces).toString("utf8") };
}

async function runCommand(
  deps: CheckDeps,
  { kind, text }: CheckSpec,
  place: CheckPlace,
): Promise<CheckResult> {
  const ran = await run(deps, text, place);
  return { kind, text, passed: ran.code === 0 && !ran.timedOut, ...factsOf(ran) };
}

function factsOf({
  code,
  timedOut,
  durationMs,
}: Ran): Pick<CheckResult, "exitCode" | "durationMs" | "timedOut"> {
  return { exitCode: code, durationMs, ...(timedOut ? { timedOut } : {}) };
}

/** `name value` lines, one a number; repeated to know the spread. */
async function runBench(deps: CheckDeps, { kind, text }: CheckSpec, place: CheckPlace): Promise<CheckResult> {
  const numbers: Record<string, number[]> = {};
  for (let round = 0; round < benchRepetitions; round += 1) {
    const { code, timedOut, output } = await runForOutput(deps, text, place);
    if (code !== 0 || timedOut)
      return { kind, text, passed: false, exitCode: code, ...(timedOut ? { timedOut } : {}) };
    for (const line of output.split("\n")) {
      const [, name, value] =
        /^([A-Za-z][\w ./-]{0,79}?)[ :=\t]+(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)\b/.exec(line) ?? [];
      if (name !== undefined && value !== undefined)
        numbers[name] = [...(numbers[name] ?? []), Number(value)];
    }
  }
  return { kind, text, passed: true, exitCode: 0, numbers };
}

/** A test program that is made to report each test. */
async function runTool(
  deps: CheckDeps,
  { kind, text }: { readonly kind: ToolKind; readonly text: string },
  place: CheckPlace,
): Promise<CheckResult> {
  const report = join(place.env["TMPDIR"] ?? place.directory, `keyframe-tests-${kind}`);
  const tool = planToolRun(kind, { command: text, env: place.env, report });
  const ranIn = { ...place, env: { ...place.env, ...tool.env } };
  let last: Ran | undefined;
  const runOnce = async () => {
    await place.reports.remove([report]);
    const ran = await runForOutput(deps, tool.command, ranIn);
    last = ran;
    const output = tool.from === "output" ? ran.output : await place.reports.read(report);
    return output === undefined ? undefined : tool.parse(output, place.directory);
  };
  const missing = `${kind} wrote no report`;
  const result = await compareTwice({ kind, text, missing }, { first: runOnce, again: runOnce });
  const facts = last === undefined ? {} : factsOf(last);
  const onlyFlaky = (result.flaky ?? []).length > 0;
  return { ...result, ...facts, passed: result.passed && (last?.code === 0 || onlyFlaky) };
}

async function readReports(
  deps: CheckDeps,
  {
    kind,
    text,
    command,
  }: { readonly kind: ReportKind; readonly text: string; readonly command: string | undefined },
  place: CheckPlace,
): Promise<CheckResult> {
  const first = () => readTests(place, { kind, pattern: text });
  const again = async () => {
    if (command === undefined) return undefined;
    await removeReports([{ kind, text }], place);
    await run(deps, command, place);
    return first();
  };
  return compareTwice({ kind, text, missing: `no report matches ${text}` }, { first, again });
}

type Tests = Map<string, TestState> | undefined;

/** Tests that fail run once more: those that pass then are flaky, and count as neither. */
async function compareTwice(
  { kind, text, missing }: Pick<CheckSpec, "kind" | "text"> & { readonly missing: string },
  runs: { readonly first: () => Promise<Tests>; readonly again: () => Promise<Tests> },
): Promise<CheckResult> {
  try {
    const first = await runs.first();
    if (first === undefined) return { kind, text, passed: false, problem: missing };
    const failed = [...first].filter(([, state]) => state === "failed").map(([id]) => id);
    const second = failed.length === 0 ? undefined : await runs.again();
    const flaky = failed.filter((id) => second?.get(id) === "passed");
    const tests = Object.fromEntries(first);
    return {
      kind,
      text,
      passed: failed.length === flaky.length,
      tests,
      ...(flaky.length > 0 ? { flaky } : {}),
    };
  } catch (error) {
    return { kind, text, passed: false, problem: errorText(error) };
  }
}

const parsers: Readonly<Record<ReportKind, (text: string) => Map<string, TestState>>> = {
  junit: parseJunit,
  ctrf: parseCtrf,
  tap: parseTap,
};

async function readTests(
  { reports }: CheckPlace,
  { kind, pattern }: { readonly kind: ReportKind; readonly pattern: string },
): Promise<Tests> {
  const found = await reports.find(pattern);
  if (found.length === 0) return undefined;
  const tests = new Map<string, TestState>();
  for (const path of found)
    for (const [id, state] of parsers[kind]((await reports.read(path)) ?? "")) addTest(tests, id, state);
  return tests;
}

/** What an agent's own runs left must not be taken for the result of ours. */
async function removeReports(specs: readonly CheckSpec[], { reports }: CheckPlace): Promise<void> {
  for (const { kind, text } of specs) if (isReport(kind)) await reports.remove(await reports.find(text));
}
