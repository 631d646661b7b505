import { fieldsOf, type LineFields, listOf, textOf } from "../json-fields.ts";

/** What a test runner said at its end. */
export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Of an output only its end is read: that is where runners count. */
const readChars = 64 * 1024;
const maxDepth = 12;

/** The counts in the last output of a tool that holds some, in a record of a transcript; undefined where none does. */
export function testsInRecord(record: LineFields): TestCounts | undefined {
  const outputs: string[] = [];
  collectOutputs(record, { isOutput: false, depth: 0 }, outputs);
  return outputs.flatMap((text) => testsInOutput(text) ?? []).at(-1);
}

/** Members that hold what a tool printed, whichever agent wrote the record; what the agent or its user says is not looked at. */
const outputMembers: ReadonlySet<string> = new Set(["stdout", "output", "toolUseResult", "tool_response"]);

function collectOutputs(
  value: unknown,
  { isOutput, depth }: { readonly isOutput: boolean; readonly depth: number },
  outputs: string[],
): void {
  if (depth > maxDepth) return;
  const text = textOf(value);
  if (text !== undefined) {
    if (isOutput) outputs.push(text);
    return;
  }
  for (const item of listOf(value)) collectOutputs(item, { isOutput, depth: depth + 1 }, outputs);
  const fields = Array.isArray(value) ? undefined : fieldsOf(value);
  if (fields === undefined) return;
  const isResult =
    isOutput || fields["type"] === "tool_result" || /^tool/i.test(textOf(fields["role"]) ?? "");
  for (const [name, member] of Object.entries(fields))
    collectOutputs(member, { isOutput: isResult || outputMembers.has(name), depth: depth + 1 }, outputs);
}

/** Lines with which runners end; several of one output (crates, packages) count together. */
const summaryLines: readonly RegExp[] = [
  // vitest and jest, cargo, pytest, rspec, mocha
  /^\s*Tests:? {1,9}\d+ .{0,200}$/,
  /^test result: .{0,200}$/,
  /^=* ?(?:\d+ [a-z]+, ){0,9}\d+ (?:passed|failed|errors?|skipped)(?:, \d+ [a-z]+){0,9} in [\d.]+s.{0,100}$/,
  /^\d+ examples?, \d+ failures?.{0,100}$/,
  /^\s+\d+ (?:passing|failing|pending)\b.{0,40}$/,
  // node --test, and TAP that it prints
  /^(?:#|ℹ) (?:pass|fail|skipped) \d+$/,
  // JUnit's runner and Maven's
  /^(?:\[\w+\] )?Tests run: \d+, Failures: \d+, Errors: \d+(?:, Skipped: \d+)?.{0,100}$/,
  // a JUnit report that was printed
  /^\s*<testsuite [^>]{0,2000}>$/,
  // go
  /^(?:ok|FAIL)\s+\S+\s+(?:[\d.]+s|\(cached\)|\[build failed\]).{0,100}$/,
];

/** The counts that the end of an output tells. */
export function testsInOutput(text: string): TestCounts | undefined {
  const lines = withoutColours(text.slice(-readChars)).split(/\r?\n/);
  const counts = { passed: 0, failed: 0, skipped: 0 };
  let isFound = false;
  for (const line of lines) {
    if (!summaryLines.some((pattern) => pattern.test(line))) continue;
    const found = countsOf(line);
    if (found === undefined) continue;
    isFound = true;
    counts.passed += found.passed;
    counts.failed += found.failed;
    counts.skipped += found.skipped;
  }
  return isFound ? counts : undefined;
}

const colour = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, "g");

function withoutColours(text: string): string {
  return text.replace(colour, "");
}

function countsOf(line: string): TestCounts | undefined {
  const go = /^(ok|FAIL)\s/.exec(line)?.[1];
  if (go !== undefined) return { passed: go === "ok" ? 1 : 0, failed: go === "ok" ? 0 : 1, skipped: 0 };
  const failed = numberBeside(line, "failed|failing|fail|failures?") + numberBeside(line, "errors?");
  const skipped = numberBeside(line, "skipped|pending|ignored|todo");
  const passed = numberBeside(line, "passed|passing|pass");
  if (passed > 0) return { passed, failed, skipped };
  const all = numberBeside(line, "examples?|Tests run|tests");
  if (all > 0) return { passed: Math.max(0, all - failed - skipped), failed, skipped };
  return failed + skipped > 0 || /\b0\b/.test(line) ? { passed, failed, skipped } : undefined;
}

/** `3 passed`, `pass 3`, `Failures: 3`, `failures="3"`. */
function numberBeside(line: string, words: string): number {
  const before = new RegExp(`\\b(\\d{1,7}) (?:${words})\\b`).exec(line)?.[1];
  const after = new RegExp(`\\b(?:${words})(?:: |="| )(\\d{1,7})\\b`, "i").exec(line)?.[1];
  return Number(before ?? after ?? 0);
}
