import type { CommandContext } from "@stricli/core";
import { type Clock, nodeClock } from "../system/clock.ts";
import { type Files, nodeFiles } from "../system/files.ts";
import { nodeProcessTable, type ProcessTable } from "../system/process-identity.ts";
import { nodeProcesses, type Processes } from "../system/processes.ts";
import { nodeRandom, type Random } from "../system/random.ts";
import { createTerminal, type OutputStream, type Terminal } from "./terminal.ts";

/** Everything a command may touch. Commands take it as `this`. */
export interface CliContext extends CommandContext {
  readonly process: {
    readonly stdout: OutputStream;
    readonly stderr: OutputStream;
    exitCode?: number | string | null;
  };
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** How this very program is started: absolute paths of Node and of the entry. */
  readonly program: { readonly node: string; readonly entry: string };
  readonly terminal: Terminal;
  readonly clock: Clock;
  readonly random: Random;
  readonly files: Files;
  readonly processes: Processes;
  readonly processTable: ProcessTable;
}

export function nodeCliContext(): CliContext {
  return {
    process: globalThis.process as CliContext["process"],
    env: globalThis.process.env,
    cwd: globalThis.process.cwd(),
    program: { node: globalThis.process.execPath, entry: globalThis.process.argv[1] ?? "" },
    terminal: createTerminal(globalThis.process.stdout, globalThis.process.stderr, globalThis.process.env),
    clock: nodeClock,
    random: nodeRandom,
    files: nodeFiles,
    processes: nodeProcesses,
    processTable: nodeProcessTable,
  };
}
