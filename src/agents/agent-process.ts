import type { ProcessIdentity, ProcessTable } from "../system/process/process-table.ts";

const shells = new Set(["sh", "bash", "dash", "zsh", "ksh", "fish", "busybox"]);
const maxAncestors = 4;

/** The process that called this hook: the nearest ancestor that is not a shell. */
export function findAgentProcess(processTable: ProcessTable): ProcessIdentity | undefined {
  const agent = processTable.ancestors(maxAncestors).find((ancestor) => !shells.has(ancestor.program));
  if (agent === undefined) return undefined;
  const { program: _, ...identity } = agent;
  return identity;
}
