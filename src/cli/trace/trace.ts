import { mustFindRepository } from "../../git/repository.ts";
import type { TraceRow } from "../../system/trace.ts";
import { readTraces, type TraceRecord } from "../../trace/trace-log.ts";
import type { CliContext } from "../command/context.ts";
import { localTime } from "../output/checkpoint-text.ts";
import { formatTable, printable } from "../output/terminal.ts";
import type { TraceFlags } from "./trace-command.ts";

const defaultLast = 3;

/** `killed`: it never came to its end; what is shown was known about a second before, or half of its time. */
type RunState = TraceRecord["state"] | "killed";

/** `keyframe trace` */
export function trace(this: CliContext, { last = defaultLast, of = "", json }: TraceFlags): void {
  const repository = mustFindRepository(this.cwd, this);
  const found = readTraces(repository, this.files).filter(({ root }) => root.name.includes(of));
  const runs = last === 0 ? [] : found.slice(-last);
  if (json) {
    this.terminal.json(
      runs.map((record) => ({
        name: record.root.name,
        startedAt: new Date(record.at).toISOString(),
        state: stateOf(this, record),
        totalMs: record.root.totalMs,
        selfMs: record.root.selfMs,
        rows: record.root.rows,
      })),
    );
    return;
  }
  if (runs.length === 0) this.terminal.note("no runs are recorded yet");
  for (const [index, record] of runs.entries()) {
    if (index > 0) this.terminal.out("");
    this.terminal.out(describe(this, record));
  }
}

function describe(context: CliContext, record: TraceRecord): string {
  const { terminal } = context;
  const state = stateOf(context, record);
  const head = [
    localTime(new Date(record.at).toISOString()),
    terminal.style("yellow", printable(record.root.name)),
    milliseconds(record.root.totalMs),
    ...(state === "done" ? [] : [terminal.style("red", state)]),
  ].join("  ");
  const right = { align: "right" } as const;
  const rows = [...describeRows(record.root.rows, "  ")];
  if (rows.length === 0) return head;
  const table = [
    ["", "times", "total", "self", "longest"].map((text) => terminal.style("dim", text)),
    ...rows,
  ];
  return `${head}\n${formatTable(table, [{}, right, right, right, right])}`;
}

function* describeRows(rows: readonly TraceRow[], indent: string): Generator<string[]> {
  for (const row of rows) {
    const name = `${indent}${row.alongside ? "~ " : ""}${printable(row.name)}`;
    yield [
      row.failed > 0 ? `${name} (${row.failed} failed)` : name,
      String(row.count),
      milliseconds(row.totalMs),
      row.rows.length > 0 ? milliseconds(row.selfMs) : "",
      row.count > 1 ? milliseconds(row.maxMs) : "",
    ];
    yield* describeRows(row.rows, `${indent}  `);
  }
}

function milliseconds(ms: number): string {
  return `${ms.toFixed(ms < 100 ? 1 : 0)} ms`;
}

function stateOf({ processTable }: CliContext, { state, process }: TraceRecord): RunState {
  if (state !== "running") return state;
  return process !== undefined && processTable.isRunning(process) ? "running" : "killed";
}
