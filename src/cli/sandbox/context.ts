import { isAbsolute, resolve } from "node:path";
import { createQemu } from "../../sandbox/qemu/qemu.ts";
import { locateSandboxHome, openSandboxHome, type SandboxContext } from "../../sandbox/store/home.ts";
import { machineFacts } from "../../system/machine/machine-facts.ts";
import { nodeProcessMemory } from "../../system/process/process-memory.ts";
import { nodeProcessTable } from "../../system/process/process-table.ts";
import type { CliContext } from "../command/context.ts";

/** What sandbox commands work with, from what every command has. */
export function sandboxContextOf(context: CliContext): SandboxContext {
  const { files, processes, clock, random } = context;
  const processTable = nodeProcessTable;
  return {
    files,
    processes,
    clock,
    random,
    processTable,
    processMemory: nodeProcessMemory,
    hypervisor: createQemu({ files, clock, processTable }),
    home: openSandboxHome(files, random, locateSandboxHome(context.env)),
    platform: machineFacts.platform,
    cores: machineFacts.cores,
    program: context.program,
    warn: (text) => context.terminal.note(`keyframe: ${text}`),
  };
}

/** The same for what only looks: undefined where this user has never had a machine. */
export function sandboxContextIfAny(context: CliContext): SandboxContext | undefined {
  const { KEYFRAME_SANDBOX_HOME, XDG_DATA_HOME, HOME } = context.env;
  if ((KEYFRAME_SANDBOX_HOME || XDG_DATA_HOME || HOME) === undefined) return undefined;
  const home = context.files.statIfExists(locateSandboxHome(context.env));
  return home?.kind === "folder" ? sandboxContextOf(context) : undefined;
}

export function resolvePath(context: CliContext, path: string): string {
  return isAbsolute(path) ? path : resolve(context.cwd, path);
}
