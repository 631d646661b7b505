// Covers src/trace/**.
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Repository } from "../../src/git/repository.ts";
import { nodeFiles } from "../../src/system/files/files.ts";
import type { TraceRow } from "../../src/system/trace.ts";
import { readTraces, recordTrace, type TraceRecord, traceFolder } from "../../src/trace/trace-log.ts";

let commonDir: string;
let repository: Repository;
beforeEach(() => {
  commonDir = nodeFiles.makeTemporaryFolder("kf-trace-");
  mkdirSync(join(commonDir, "keyframe"));
  repository = { commonDir, gitDir: commonDir, workTree: undefined };
});
afterEach(() => nodeFiles.removeTree(commonDir));

const row = (name: string, rows: readonly TraceRow[] = []): TraceRow => ({
  name,
  count: 2,
  failed: 1,
  totalMs: 12.34,
  maxMs: 10,
  selfMs: 1.5,
  alongside: false,
  rows,
});
const record = (run: string, more: Partial<TraceRecord> = {}): TraceRecord => ({
  version: 1,
  run,
  at: 1000,
  state: "done",
  root: row("list", [row("git log"), row("read", [row("git cat-file")])]),
  ...more,
});

test("a record comes back as it was, and of a run that wrote several the last counts", () => {
  const process = { pid: 12, startedAt: "345", bootId: "b" };
  recordTrace(repository, nodeFiles, record("a", { state: "running", process }));
  recordTrace(repository, nodeFiles, record("b", { at: 500, state: "running", process }));
  recordTrace(repository, nodeFiles, record("a", { state: "failed" }));
  expect(readTraces(repository, nodeFiles)).toEqual([
    record("b", { at: 500, state: "running", process }),
    record("a", { state: "failed" }),
  ]);
});

test("what a killed writer left, or something else wrote, is passed over", () => {
  recordTrace(repository, nodeFiles, record("a"));
  const [name = ""] = readdirSync(traceFolder(repository));
  const path = join(traceFolder(repository), name);
  appendFileSync(path, readFileSync(path).subarray(0, 60));
  appendFileSync(
    path,
    '\n{"version":2}\n[]\nnull\n{"version":1,"run":"x","at":1,"state":"odd","root":["a"]}',
  );
  appendFileSync(path, `\n{"version":1,"run":"deep","at":1,"state":"done","root":${nested(5000)}}`);
  recordTrace(repository, nodeFiles, record("b"));
  const runs = readTraces(repository, nodeFiles);
  expect(runs.map(({ run }) => run)).toEqual(["deep", "a", "b"]);
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.jsonValue().map((value) => JSON.stringify(value)),
      ),
      (text) => {
        writeFileSync(path, `\n${text}`);
        readTraces(repository, nodeFiles);
      },
    ),
    { numRuns: 50 },
  );
});

/** A row inside a row, and so on. */
function nested(depth: number): string {
  return `${'["a",1,0,1,1,1,0,['.repeat(depth)}${"]]".repeat(depth)}`;
}

test("recording makes nothing in an untouched repository and never throws", () => {
  rmSync(join(commonDir, "keyframe"), { recursive: true });
  recordTrace(repository, nodeFiles, record("a"));
  expect(readdirSync(commonDir)).toEqual([]);
  mkdirSync(join(commonDir, "keyframe"));
  writeFileSync(traceFolder(repository), "in the way");
  recordTrace(repository, nodeFiles, record("a"));
  expect(readFileSync(traceFolder(repository), "utf8")).toBe("in the way");
  expect(readTraces(repository, nodeFiles)).toEqual([]);
});
