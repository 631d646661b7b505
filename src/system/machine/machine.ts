import { type Clock, nodeClock } from "../clock.ts";
import { type Files, nodeFiles } from "../files/files.ts";
import { nodeProcessTable, type ProcessTable } from "../process/process-table.ts";
import { nodeProcesses, type Processes } from "../process/processes.ts";
import { nodeRandom, type Random } from "../random.ts";
import { noTrace, type Trace } from "../trace.ts";
import { traceProcesses } from "./trace-processes.ts";

/** Everything outside of the program that recording and settling touch. */
export interface Machine {
  readonly clock: Clock;
  readonly random: Random;
  readonly files: Files;
  readonly processes: Processes;
  readonly processTable: ProcessTable;
  readonly trace: Trace;
}

export const nodeMachine: Machine = {
  clock: nodeClock,
  random: nodeRandom,
  files: nodeFiles,
  processes: nodeProcesses,
  processTable: nodeProcessTable,
  trace: noTrace,
};

/** The same machine, with what it does as spans and steps of a trace. */
export function traceMachine(machine: Machine, trace: Trace): Machine {
  return { ...machine, trace, processes: traceProcesses(machine.processes, trace) };
}
