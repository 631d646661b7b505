import { type Clock, nodeClock } from "./clock.ts";
import { type Files, nodeFiles } from "./files.ts";
import { nodeProcessTable, type ProcessTable } from "./process-identity.ts";
import { nodeProcesses, type Processes } from "./processes.ts";
import { nodeRandom, type Random } from "./random.ts";

/** Everything outside of the program that recording and settling touch. */
export interface Machine {
  readonly clock: Clock;
  readonly random: Random;
  readonly files: Files;
  readonly processes: Processes;
  readonly processTable: ProcessTable;
}

export const nodeMachine: Machine = {
  clock: nodeClock,
  random: nodeRandom,
  files: nodeFiles,
  processes: nodeProcesses,
  processTable: nodeProcessTable,
};
