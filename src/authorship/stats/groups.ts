import type { LineCounts, SessionCounts } from "./tally.ts";
import { sumCounts } from "./tally.ts";

export interface AgentTotals {
  readonly tool: string;
  readonly model: string;
  readonly added: number;
  readonly accepted: number;
  readonly overridden: number;
  readonly overriddenBeforeCommit: number;
}

/** Sessions added up by tool and model, most lines first. */
export function agentTotals(sessions: readonly SessionCounts[]): AgentTotals[] {
  const totals = new Map<string, AgentTotals>();
  for (const { tool, model, added, accepted, overridden, overriddenBeforeCommit } of sessions) {
    const sum = totals.get(`${tool}::${model}`);
    totals.set(`${tool}::${model}`, {
      tool,
      model,
      added: added + (sum?.added ?? 0),
      accepted: accepted + (sum?.accepted ?? 0),
      overridden: overridden + (sum?.overridden ?? 0),
      overriddenBeforeCommit: overriddenBeforeCommit + (sum?.overriddenBeforeCommit ?? 0),
    });
  }
  return [...totals.values()].sort((a, b) => b.added - a.added);
}

/** Each directory with all that lies below it; `.` is the whole. */
export function countsByFolder(files: ReadonlyMap<string, LineCounts>): ReadonlyMap<string, LineCounts> {
  const groups = new Map<string, LineCounts[]>();
  for (const [path, counts] of files) {
    const parts = path.split("/").slice(0, -1);
    for (let depth = 0; depth <= parts.length; depth += 1) {
      const folder = depth === 0 ? "." : parts.slice(0, depth).join("/");
      const group = groups.get(folder);
      if (group === undefined) groups.set(folder, [counts]);
      else group.push(counts);
    }
  }
  return new Map([...groups].map(([folder, group]) => [folder, sumCounts(group)]));
}
