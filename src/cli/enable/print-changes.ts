import { relative } from "node:path";
import { agentConnections } from "../../agents/settings/connections.ts";
import { changeVerb, type FileChange } from "../../base/file-change.ts";
import type { CliContext } from "../command/context.ts";
import { formatTable, printable } from "../output/terminal.ts";

export function describeChange(change: FileChange): { path: string; action: string; why: string } {
  return { path: change.path, action: changeVerb(change), why: change.why };
}

export function printChanges(
  context: CliContext,
  {
    changes,
    top,
    dryRun,
  }: { readonly changes: readonly FileChange[]; readonly top: string; readonly dryRun: boolean },
): void {
  const { terminal } = context;
  if (changes.length === 0) {
    terminal.out("Nothing to change.");
    return;
  }
  if (dryRun) terminal.out("Would change:");
  const rows = changes.map((change) => [
    `  ${changeVerb(change)}`,
    printable(shortPath(change.path, top)),
    terminal.style("dim", change.why),
  ]);
  terminal.out(formatTable(rows));
}

function shortPath(path: string, top: string): string {
  const short = relative(top, path);
  return short.startsWith("..") ? path : short;
}

/** What the user should know of agents that are now connected. */
export function connectionNotes(agents: ReadonlySet<string>): string[] {
  return agentConnections.flatMap(({ agent, title, note }) =>
    agents.has(agent) && note !== undefined ? [`${title}: ${note}`] : [],
  );
}
