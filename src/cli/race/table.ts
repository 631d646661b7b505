import type { RaceRecord } from "../../race/race-record.ts";
import type { RaceRow } from "../../race/race-table.ts";
import type { CliContext } from "../command/context.ts";
import { printable } from "../output/terminal.ts";

const heading = [
  "lane",
  "state",
  "checks",
  "tests",
  "diff",
  "files",
  "lines observed",
  "tokens",
  "price",
  "turns",
  "time",
];

/** The race as rows of text, the heading first. */
export function raceTable(
  { terminal }: Pick<CliContext, "terminal">,
  _race: RaceRecord,
  rows: readonly RaceRow[],
): string[][] {
  return [heading.map((cell) => terminal.style("dim", cell)), ...rows.map((row) => describeRow(row))];
}

function describeRow(row: RaceRow): string[] {
  const { lane, passed, checks, tests, numbers, commonFiles, ownFiles, tokens, byClass, price, turns } = row;
  const { fixed, broken, flaky, added, removed } = tests;
  const counts = [
    [fixed.length, "fixed"],
    [broken.length, "broken"],
    [added.length, "new"],
    [removed.length, "removed"],
    [flaky.length, "flaky"],
  ].flatMap(([count, word]) => (count === 0 ? [] : [`${count} ${word}`]));
  const benches = numbers.map(
    ({ name, ratio, noise }) => `${printable(name)} ${noise ? "same" : `x${ratio.toFixed(2)}`}`,
  );
  const known = (lane.observedLines ?? 0) + (lane.unknownLines ?? 0);
  return [
    printable(lane.name),
    lane.problem === undefined ? stateOf(row) : `${lane.state}: ${printable(lane.problem).slice(0, 60)}`,
    checks === 0 ? "-" : lane.checks.length === 0 ? "-" : `${passed}/${checks}`,
    [...counts, ...benches].join(", ") || "-",
    lane.diff === undefined ? "-" : `+${lane.diff.added} -${lane.diff.removed}`,
    lane.diff === undefined ? "-" : `${ownFiles} own, ${commonFiles} common`,
    known === 0 ? "-" : `${lane.observedLines ?? 0} of ${known}`,
    tokens === 0 ? "-" : describeTokens(row),
    price === 0 ? "-" : String(price),
    turns === 0 ? "-" : `${turns}${describeCalls(byClass.calls)}`,
    lane.durationMs === undefined ? "-" : `${Math.round(lane.durationMs / 1000)} s`,
  ];
}

function describeCalls(calls: number): string {
  return calls === 0 ? "" : ` (${calls} ${calls === 1 ? "call" : "calls"})`;
}

/** Classes cost differently. */
function describeTokens({ tokens, byClass }: RaceRow): string {
  const { input, cacheCreation, cacheRead, output, calls } = byClass;
  const classes = [`${input} in`, `${cacheRead + cacheCreation} cached`, `${output} out`];
  return calls === 0 ? String(tokens) : classes.join(", ");
}

function stateOf({ lane }: RaceRow): string {
  if (lane.waitsFor !== undefined) return `needs input: ${printable(lane.waitsFor).slice(0, 60)}`;
  if (lane.state !== "done") return lane.state;
  const code = lane.exitCode === 0 ? "" : ` (exit code ${lane.exitCode})`;
  return `${lane.commit === undefined ? "done, nothing changed" : "done"}${code}`;
}

export function markdownTable(rows: readonly RaceRow[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(heading), line(heading.map(() => "---")), ...rows.map((row) => line(describeRow(row)))].join(
    "\n",
  );
}
