import type { CommandContext } from "@stricli/core";
import { type Machine, nodeMachine } from "../../system/machine/machine.ts";
import { createTerminal, type OutputStream, type Terminal } from "../output/terminal.ts";

/** Everything a command may touch. Commands take it as `this`. */
export interface CliContext extends CommandContext, Machine {
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
}

export function nodeCliContext(machine: Machine = nodeMachine): CliContext {
  return {
    ...machine,
    process: globalThis.process as CliContext["process"],
    env: globalThis.process.env,
    cwd: globalThis.process.cwd(),
    program: { node: globalThis.process.execPath, entry: entryPath(globalThis.process.argv[1] ?? "") },
    terminal: createTerminal(globalThis.process.stdout, globalThis.process.stderr, globalThis.process.env),
  };
}

/** The file itself: `keyframe`, `kf` and a link to either are one program. */
function entryPath(started: string): string {
  return nodeMachine.files.realPathIfExists(started) ?? started;
}
