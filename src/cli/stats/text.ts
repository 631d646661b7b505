import { agentLabel, humanName } from "../../authorship/note/owner-label.ts";
import { type AgentTotals, agentTotals, countsByFolder } from "../../authorship/stats/groups.ts";
import type { Stats } from "../../authorship/stats/stats.ts";
import type { LineCounts } from "../../authorship/stats/tally.ts";
import { groupDigits } from "../output/numbers.ts";
import { ownerBar, ownerLegend } from "../output/owner-bar.ts";
import { formatTable, printable, type Terminal } from "../output/terminal.ts";

export interface StatsView {
  readonly stats: Stats;
  /** As the user named it. */
  readonly title: string;
  readonly by: "file" | "dir" | undefined;
}

const maxBarCells = 60;
const rowBarCells = 10;

export function statsText(terminal: Terminal, { stats, title, by }: StatsView): string {
  const { total } = stats;
  const heading = `${terminal.style("bold", printable(title))}  ${terminal.style("dim", commitsText(stats))}`;
  if (total.added === 0) {
    return [
      heading,
      "",
      total.deleted === 0 ? "no lines counted" : `no lines added, ${lines(total.deleted)} deleted`,
    ].join("\n");
  }
  const sections = [
    heading,
    `${ownerBar(terminal, total, Math.min(maxBarCells, terminal.columns - 2))}\n${ownerLegend(terminal, total)}`,
    ownerTable(terminal, stats),
  ];
  if (by !== undefined) {
    const groups = by === "file" ? stats.files : countsByFolder(stats.files);
    sections.push(groupTable(terminal, by, groups));
  }
  return sections.join("\n\n");
}

function commitsText({ range, noted }: Stats): string {
  const { commits } = range;
  if (range.kind === "commit" && commits.length === 1) {
    return noted.size === 1
      ? commits[0]?.author
        ? `by ${printable(commits[0].author)}`
        : ""
      : "no authorship note";
  }
  return `${groupDigits(commits.length)} commits, ${groupDigits(noted.size)} with an authorship note`;
}

function ownerTable(terminal: Terminal, stats: Stats): string {
  const { total } = stats;
  const title = (text: string) => terminal.style("dim", text);
  const rows = [["", "added", "accepted", "overridden"].map(title)];
  for (const agent of agentTotals(stats.sessions)) {
    const label = printable(agentLabel(agent));
    rows.push([
      terminal.style("magenta", label),
      groupDigits(agent.added),
      groupDigits(agent.accepted),
      overriddenText(agent),
    ]);
  }
  for (const [identity, count] of stats.humans) {
    rows.push([terminal.style("green", printable(humanName(identity))), groupDigits(count), "", ""]);
  }
  if (total.unknown > 0) rows.push([title("unknown"), groupDigits(total.unknown), "", ""]);
  rows.push([terminal.style("bold", "all"), terminal.style("bold", groupDigits(total.added)), "", ""]);
  const table = formatTable(rows, [{}, { align: "right" }, { align: "right" }, { align: "right" }]);
  return total.deleted === 0 ? table : `${table}\n${title(`${lines(total.deleted)} deleted`)}`;
}

/** `3 + 2 before commit`: the second part never was in a commit, and is not among the added lines. */
function overriddenText(agent: AgentTotals): string {
  const before = agent.overriddenBeforeCommit;
  return before === 0
    ? groupDigits(agent.overridden)
    : `${groupDigits(agent.overridden)} + ${groupDigits(before)} before commit`;
}

function groupTable(terminal: Terminal, by: "file" | "dir", groups: ReadonlyMap<string, LineCounts>): string {
  const titles = [by, "", "added", "agents", "humans", "unknown", "accepted", "overridden"];
  const rows = [titles.map((text) => terminal.style("dim", text))];
  const sorted = [...groups]
    .filter(([, counts]) => counts.added > 0)
    .sort(([, a], [, b]) => b.added - a.added);
  for (const [path, counts] of sorted) {
    const numbers = [
      counts.added,
      counts.agents,
      counts.humans,
      counts.unknown,
      counts.accepted,
      counts.overridden,
    ];
    rows.push([printable(path), ownerBar(terminal, counts, rowBarCells), ...numbers.map(groupDigits)]);
  }
  return formatTable(rows, [{}, {}, ...numberColumns]);
}

const numberColumns = Array.from({ length: 6 }, () => ({ align: "right" as const }));

function lines(count: number): string {
  return count === 1 ? "1 line" : `${groupDigits(count)} lines`;
}
