import { splitAgentLineKey } from "../../authorship/note/keys.ts";
import { ownersByPath } from "../../authorship/note/log.ts";
import { entriesOfRuns, type NoteProblem } from "../../authorship/note/log-codec.ts";
import { agentLabel } from "../../authorship/note/owner-label.ts";
import { type AgentOwner, type Owner, resolveOwner, traceDetails } from "../../authorship/note/owners.ts";
import { countLines, type LineRange } from "../../authorship/rules/owner-runs.ts";
import type { JsonObject } from "../../base/json.ts";
import type { PromptFinder } from "../../journal/log/session-log.ts";
import { groupDigits } from "../output/numbers.ts";
import { styledOwner } from "../output/owner-column.ts";
import { formatTable, printable, printableText, type Terminal } from "../output/terminal.ts";
import type { ShownNote } from "./shown-note.ts";

/** Longest piece of a prompt that is shown, characters. */
const maxPromptCharacters = 100;
/** Ranges shown of one owner in one file. */
const maxShownRanges = 12;

interface OwnedLines {
  readonly key: string;
  readonly owner: Owner;
  readonly ranges: readonly LineRange[];
}

export function showText(terminal: Terminal, { title, log, problems, findPrompt }: ShownNote): string {
  const sections = [terminal.style("bold", printable(title))];
  const all: OwnedLines[] = [];
  for (const { path, runs } of ownersByPath(log).values()) {
    const owned = entriesOfRuns(runs).flatMap(({ key, ranges }): OwnedLines[] => {
      const owner = resolveOwner(log.metadata, key);
      return owner === undefined ? [] : [{ key, owner, ranges }];
    });
    if (owned.length === 0) continue;
    for (const lines of owned) all.push(lines);
    sections.push(`${terminal.style("cyan", printable(path))}\n${indent(fileTable(terminal, owned))}`);
  }
  if (all.length === 0) sections.push("the note names no lines");
  sections.push(
    ...sessionSections(terminal, { all, metadata: log.metadata, findPrompt }),
    ...problemSection(terminal, problems),
  );
  return sections.join("\n\n");
}

function fileTable(terminal: Terminal, owned: readonly OwnedLines[]): string {
  const rows = mergeByOwner(owned).map(({ owner, ranges }) => [
    styledOwner(terminal, owner),
    lineCount(countLines(ranges)),
    rangesText(ranges),
  ]);
  return formatTable(rows, [{}, { align: "right" }]);
}

/** One row per session or human: the edits of a session are told apart further below. */
function mergeByOwner(owned: readonly OwnedLines[]): Omit<OwnedLines, "key">[] {
  const rows = new Map<string, { owner: Owner; ranges: LineRange[] }>();
  for (const { owner, ranges } of owned) {
    const name = ownerName(owner);
    const row = rows.get(name) ?? { owner, ranges: [] };
    for (const range of ranges) row.ranges.push(range);
    rows.set(name, row);
  }
  for (const { ranges } of rows.values()) ranges.sort((a, b) => a.first - b.first);
  return [...rows.values()];
}

function ownerName(owner: Owner): string {
  return owner.kind === "human" ? owner.key : owner.session;
}

function rangesText(ranges: readonly LineRange[]): string {
  const shown = ranges
    .slice(0, maxShownRanges)
    .map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`));
  return ranges.length > maxShownRanges ? `${shown.join(",")},… (${ranges.length} ranges)` : shown.join(",");
}

function sessionSections(terminal: Terminal, context: NoteContext): string[] {
  const rows = mergeByOwner(context.all).map(({ owner, ranges }) => {
    const lines = lineCount(countLines(ranges));
    if (owner.kind === "human")
      return `${styledOwner(terminal, owner)}  ${printable(owner.identity)}  ${lines}`;
    return [sessionLine(terminal, owner, lines), ...promptLines(terminal, owner, context)].join("\n");
  });
  return rows.length === 0 ? [] : [rows.join("\n")];
}

function sessionLine(terminal: Terminal, owner: AgentOwner, lines: string): string {
  const by = owner.humanAuthor === undefined ? "" : `, run by ${printable(owner.humanAuthor)}`;
  const label = terminal.style("magenta", printable(agentLabel(owner.agent)));
  return `${label}  ${printable(owner.session)}  ${lines}${terminal.style("dim", `  conversation ${printable(owner.agent.id)}${by}`)}`;
}

interface NoteContext {
  readonly all: readonly OwnedLines[];
  readonly metadata: JsonObject;
  readonly findPrompt: PromptFinder;
}

/** The prompts behind a session's edits, each once. */
function promptLines(
  terminal: Terminal,
  owner: AgentOwner,
  { all, metadata, findPrompt }: NoteContext,
): string[] {
  const prompts = new Map<string, number>();
  for (const { key, ranges } of all) {
    const split = splitAgentLineKey(key);
    if (split?.session !== owner.session || split.trace === undefined) continue;
    const prompt = traceDetails(metadata, split.trace)?.prompt ?? findPrompt(split.session, split.trace);
    if (prompt !== undefined) prompts.set(prompt, (prompts.get(prompt) ?? 0) + countLines(ranges));
  }
  return [...prompts].map(([prompt, count]) => {
    const text = printableText(prompt).replace(/\s+/g, " ").trim();
    const cut = text.length > maxPromptCharacters ? `${text.slice(0, maxPromptCharacters - 1)}…` : text;
    return `  ${terminal.style("dim", "prompt")} ${cut}  ${terminal.style("dim", lineCount(count))}`;
  });
}

function problemSection(terminal: Terminal, problems: readonly NoteProblem[]): string[] {
  if (problems.length === 0) return [];
  const lines = problems.map(({ line, message }) =>
    line === undefined ? message : `line ${line}: ${message}`,
  );
  return [terminal.style("yellow", ["remarks on the note:", ...lines.map(printable)].join("\n  "))];
}

function indent(text: string): string {
  return text.replace(/^/gm, "  ");
}

function lineCount(count: number): string {
  return count === 1 ? "1 line" : `${groupDigits(count)} lines`;
}
