import { join } from "node:path";
import { errorText, KeyframeError } from "../../base/errors.ts";
import { compileGlob } from "../../base/text/glob.ts";
import type { Clock } from "../../system/clock.ts";
import type { Files } from "../../system/files/files.ts";
import type { ContainedOptions, ContainedProcess } from "../../system/process/contained-process.ts";
import type { OverlayView } from "../../system/process/overlays.ts";
import type { CheckResult, CheckSpec, TestState } from "./check.ts";
import { maxReportBytes, parseJunit } from "./junit.ts";

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
  /** Where what they write is found; the directory itself by default. */
  readonly roots?: readonly WrittenRoot[];
}

/** A directory that holds what was written below a path of the lane. */
export interface WrittenRoot {
  /** From the lane's directory; empty for the directory itself. */
  readonly at: string;
  readonly directory: string;
}

const benchRepetitions = 3;

/** Runs checks in order in one directory. A command whose report shows failures runs once more, to find flaky tests. */
export async function runChecks(
  deps: CheckDeps,
  specs: readonly CheckSpec[],
  place: CheckPlace,
): Promise<CheckResult[]> {
  removeReports(deps.files, specs, place);
  const results: CheckResult[] = [];
  let command: CheckSpec | undefined;
  for (const spec of specs) {
    if (spec.kind === "command") {
      command = spec;
      results.push(await runCommand(deps, spec, place));
    } else if (spec.kind === "bench") results.push(await runBench(deps, spec, place));
    else results.push(await readReports(deps, { spec, command }, place));
  }
  return results;
}

async function run(deps: CheckDeps, text: string, place: CheckPlace) {
  const { directory: cwd, roots: _, ...options } = place;
  const startedMs = deps.clock.nowMs();
  const { ended } = deps.startContained(text, { ...options, cwd, stdin: "" });
  const { code, timedOut } = await ended;
  return { code, timedOut, durationMs: deps.clock.nowMs() - startedMs };
}

async function runCommand(
  deps: CheckDeps,
  { kind, text }: CheckSpec,
  place: CheckPlace,
): Promise<CheckResult> {
  const { code, timedOut, durationMs } = await run(deps, text, place);
  return {
    kind,
    text,
    passed: code === 0 && !timedOut,
    exitCode: code,
    durationMs,
    ...(timedOut ? { timedOut } : {}),
  };
}

/** `name value` lines, one a number; repeated to know the spread. */
async function runBench(deps: CheckDeps, { kind, text }: CheckSpec, place: CheckPlace): Promise<CheckResult> {
  const numbers: Record<string, number[]> = {};
  for (let round = 0; round < benchRepetitions; round += 1) {
    const from = deps.files.statIfExists(place.logPath)?.sizeBytes ?? 0;
    const { code, timedOut } = await run(deps, text, place);
    if (code !== 0 || timedOut)
      return { kind, text, passed: false, exitCode: code, ...(timedOut ? { timedOut } : {}) };
    const output: Buffer[] = [];
    for (const chunk of deps.files.readChunks(place.logPath, { offsetBytes: from }))
      output.push(Buffer.from(chunk));
    for (const line of Buffer.concat(output).toString("utf8").split("\n")) {
      const [, name, value] =
        /^([A-Za-z][\w ./-]{0,79}?)[ :=\t]+(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)\b/.exec(line) ?? [];
      if (name !== undefined && value !== undefined)
        numbers[name] = [...(numbers[name] ?? []), Number(value)];
    }
  }
  return { kind, text, passed: true, exitCode: 0, numbers };
}

async function readReports(
  deps: CheckDeps,
  { spec, command }: { readonly spec: CheckSpec; readonly command: CheckSpec | undefined },
  place: CheckPlace,
): Promise<CheckResult> {
  const { kind, text } = spec;
  try {
    const first = readTests(deps.files, place, text);
    if (first === undefined) return { kind, text, passed: false, problem: `no report matches ${text}` };
    const failed = [...first].filter(([, state]) => state === "failed").map(([id]) => id);
    let flaky: string[] = [];
    if (failed.length > 0 && command !== undefined) {
      await run(deps, command.text, place);
      const second = readTests(deps.files, place, text);
      flaky = failed.filter((id) => second?.get(id) === "passed");
    }
    const tests = Object.fromEntries(first);
    const passed = failed.length === flaky.length;
    return { kind, text, passed, tests, ...(flaky.length > 0 ? { flaky } : {}) };
  } catch (error) {
    return { kind, text, passed: false, problem: errorText(error) };
  }
}

const maxReports = 1000;

function readTests(files: Files, place: CheckPlace, pattern: string): Map<string, TestState> | undefined {
  const found = findFiles(files, place, pattern);
  if (found.length === 0) return undefined;
  const tests = new Map<string, TestState>();
  for (const path of found) {
    // what is passed over could hold the failures
    if ((files.statIfExists(path)?.sizeBytes ?? 0) > maxReportBytes)
      throw new KeyframeError("too-large", `the report ${path} is larger than ${maxReportBytes} bytes`);
    for (const [id, state] of parseJunit(files.read(path).toString("utf8")))
      if (tests.get(id) !== "failed") tests.set(id, state);
  }
  return tests;
}

/** What an agent's own runs left must not be taken for the result of ours. */
function removeReports(files: Files, specs: readonly CheckSpec[], place: CheckPlace): void {
  for (const { kind, text } of specs)
    if (kind === "junit") for (const path of findFiles(files, place, text)) files.remove(path);
}

/** Written files that match a pattern of gitignore; links are not followed. */
function findFiles(files: Files, { directory, roots }: CheckPlace, pattern: string): string[] {
  const matches = compileGlob(pattern);
  const found: string[] = [];
  const visit = (root: WrittenRoot, inside: string, depth: number) => {
    for (const { name, kind } of files.listIfExists(join(root.directory, inside)) ?? []) {
      const path = join(inside, name);
      if (kind === "file" && matches(join(root.at, path)) && found.length < maxReports)
        found.push(join(root.directory, path));
      else if (kind === "folder" && depth < 12 && name !== ".git" && name !== "node_modules")
        visit(root, path, depth + 1);
    }
  };
  for (const root of roots ?? [{ at: "", directory }]) visit(root, "", 0);
  return found;
}
