// Covers src/system/*.
import { expect, test } from "vitest";
import { createFakeClock } from "../../src/system/clock.ts";
import { traceProcesses } from "../../src/system/machine/trace-processes.ts";
import type { Processes } from "../../src/system/process/processes.ts";
import { createTrace, maxTraceRows, noTrace, type TraceRow } from "../../src/system/trace.ts";

const short = ({ name, count, totalMs, selfMs, rows }: TraceRow): unknown => [
  name,
  count,
  totalMs,
  selfMs,
  ...rows.map(short),
];

test("a thousand repetitions are one row, and each phase knows what it took itself", async () => {
  const clock = createFakeClock();
  const trace = createTrace(clock);
  await trace.span("outer", async () => {
    for (let index = 0; index < 1000; index += 1) trace.span("inner", () => clock.advance(2));
    clock.advance(500);
    await Promise.resolve();
  });
  clock.advance(7);
  expect(short(trace.read("run"))).toEqual([
    "run",
    1,
    2507,
    7,
    ["outer", 1, 2500, 500, ["inner", 1000, 2000, 2000]],
  ]);
  expect(trace.read("run").rows[0]?.rows[0]).toMatchObject({ maxMs: 2, failed: 0 });
});

test("steps that overlap are taken from their phase once; a helper beside it not at all", () => {
  const clock = createFakeClock();
  const trace = createTrace(clock);
  trace.span("phase", () => {
    const helper = trace.step("helper", { alongside: true });
    const first = trace.step("a");
    clock.advance(10);
    const second = trace.step("b");
    clock.advance(10);
    first();
    clock.advance(10);
    second("failed");
    clock.advance(5);
    helper();
    helper();
  });
  expect(short(trace.read("run"))).toEqual([
    "run",
    1,
    35,
    0,
    ["phase", 1, 35, 5, ["helper", 1, 35, 35], ["a", 1, 20, 20], ["b", 1, 20, 20]],
  ]);
  expect(trace.read("run").rows[0]?.rows.map(({ failed, alongside }) => [failed, alongside])).toEqual([
    [0, true],
    [0, false],
    [1, false],
  ]);
});

test("what a phase answers and throws comes through, and a failure is counted", async () => {
  const trace = createTrace(createFakeClock());
  expect(trace.span("sync", () => 5)).toBe(5);
  expect(await trace.span("async", async () => 6)).toBe(6);
  const broken = new Error("broken");
  expect(() =>
    trace.span("sync", () => {
      throw broken;
    }),
  ).toThrow(broken);
  await expect(trace.span("async", () => Promise.reject(broken))).rejects.toBe(broken);
  expect(trace.read("run").rows.map(({ name, count, failed }) => [name, count, failed])).toEqual([
    ["sync", 2, 1],
    ["async", 2, 1],
  ]);
  expect(noTrace.span("x", () => 7)).toBe(7);
});

test("phases that overlap against the rule are put somewhere, and later ones where they belong", async () => {
  const trace = createTrace(createFakeClock());
  const ends: (() => void)[] = [];
  const both = [0, 1].map((number) =>
    trace.span(`phase ${number}`, () => new Promise<void>((resolve) => ends.push(resolve))),
  );
  for (const [index, end] of ends.entries()) {
    end();
    await both[index];
  }
  trace.span("after", () => undefined);
  expect(trace.read("run").rows.map(({ name }) => name)).toEqual(["phase 0", "after"]);
});

test("a run that is looked at on its way counts what is open up to now", () => {
  const clock = createFakeClock();
  const trace = createTrace(clock, 40);
  const end = trace.step("slow");
  clock.advance(60);
  expect(short(trace.read("run"))).toEqual(["run", 1, 100, 0, ["start", 1, 40, 40], ["slow", 1, 60, 60]]);
  clock.advance(1);
  end();
  expect(short(trace.read("run"))).toEqual(["run", 1, 101, 0, ["start", 1, 40, 40], ["slow", 1, 61, 61]]);
});

test("names without end do not grow the trace: their work is done and counted where they are", () => {
  const clock = createFakeClock();
  const trace = createTrace(clock);
  let done = 0;
  trace.span("many", () => {
    for (let index = 0; index < 1000; index += 1) {
      trace.span(`name ${index}`, () => {
        done += 1;
        clock.advance(1);
      });
      trace.step(`step ${index}`)();
    }
  });
  const [many] = trace.read("run").rows;
  expect([done, many?.rows.length, many?.totalMs]).toEqual([1000, maxTraceRows - 1, 1000]);
  expect(many?.selfMs).toBe(1000 - Math.ceil((maxTraceRows - 1) / 2));
});

test("programs are steps under fixed names, whatever their arguments hold", async () => {
  const trace = createTrace(createFakeClock());
  const result = { code: 0, signal: undefined, stdout: Buffer.alloc(0), stderr: "" };
  const fake = {
    run: async (_program: string, [first = ""]: readonly string[]) => {
      if (first === "fails") throw new Error("no such program");
      return result;
    },
    runSync: () => result,
  } as unknown as Processes;
  const processes = traceProcesses(fake, trace);
  const prefix = ["--git-dir", "/secret/place", "--work-tree", "/secret"];
  await processes.run("git", [...prefix, "-c", "core.x=secret", "log", "secret"]);
  processes.runSync("git", [...prefix, "--no-pager", "log", "-1"]);
  processes.runSync("/usr/bin/ps", ["secret"]);
  await expect(processes.run("git", ["fails"])).rejects.toThrow("no such program");
  const rows = trace.read("run").rows.map(({ name, count, failed }) => [name, count, failed]);
  expect(rows).toEqual([
    ["git log", 2, 0],
    ["ps", 1, 0],
    ["git fails", 1, 1],
  ]);
});
