import { cleanLine, cleanText } from "../../base/text/clean-text.ts";
import { keyframeVersion } from "../../base/version.ts";
import { type ReportFacts, shareOf } from "./report-facts.ts";

/** How a comment of ours is found again, to be written anew. */
export const commentMark = "<!-- keyframe report -->";

const maxFiles = 20;
const maxPrompts = 50;
const longestPrompt = 300;

/** What all people and the unknown have in common: a name and lines. */
function ownerRows({ total, agents, humans }: ReportFacts): [string, number, string][] {
  const rows: [string, number, string][] = agents.map(({ tool, model, added, accepted }) => [
    model === "unknown" ? tool : `${tool} ${model}`,
    added,
    `${accepted} at the end`,
  ]);
  for (const { identity, lines } of humans)
    rows.push([identity.replace(/\s*<[^>]*>$/, ""), lines, "known human"]);
  if (total.unknown > 0) rows.push(["unknown", total.unknown, "no evidence"]);
  return rows;
}

export function reportMarkdown(facts: ReportFacts): string {
  const { total } = facts;
  const lines = [
    commentMark,
    "### Who wrote this",
    "",
    `${total.added} lines added, ${total.deleted} deleted, in ${facts.commits} ${facts.commits === 1 ? "commit" : "commits"} (${facts.notedCommits} with an authorship note).`,
  ];
  if (total.added > 0) {
    lines.push("", "| owner | lines | share | |", "| --- | ---: | ---: | --- |");
    for (const [name, count, note] of ownerRows(facts))
      lines.push(`| ${inTable(name)} | ${count} | ${shareOf(count, total)} % | ${note} |`);
  }
  if (facts.hints.length > 0) lines.push("", ...facts.hints.map(({ text }) => `- ${text}`));
  if (facts.files.length > 0) {
    lines.push("", "<details><summary>Files</summary>", "");
    lines.push("| file | added | agents | people | unknown |", "| --- | ---: | ---: | ---: | ---: |");
    for (const { path, added, agents, humans, unknown } of facts.files.slice(0, maxFiles))
      lines.push(`| ${inTable(path)} | ${added} | ${agents} | ${humans} | ${unknown} |`);
    if (facts.files.length > maxFiles) lines.push("", `and ${facts.files.length - maxFiles} more`);
    lines.push("", "</details>");
  }
  if (facts.tests.length > 0)
    lines.push("", `Changed tests: ${facts.tests.slice(0, maxFiles).map(inCode).join(", ")}`);
  lines.push(...promptLines(facts), ...tokenLines(facts));
  return `${lines.join("\n")}\n`;
}

function promptLines({ sessions }: ReportFacts): string[] {
  const prompts = sessions.flatMap((session) => session.prompts ?? []);
  if (prompts.length === 0) return [];
  const shown = prompts.slice(0, maxPrompts).map((prompt) => `- ${inCode(shorten(prompt))}`);
  return ["", "<details><summary>Prompts</summary>", "", ...shown, "", "</details>"];
}

function tokenLines({ tokens, sessions }: ReportFacts): string[] {
  if (sessions.length === 0) return [];
  const count = new Set(sessions.map(({ checkpoint }) => checkpoint)).size;
  const { inputTokens, outputTokens } = tokens;
  return [
    "",
    `Tokens: ${inputTokens} in, ${outputTokens} out, in the conversations of ${count} ${count === 1 ? "checkpoint" : "checkpoints"}.`,
  ];
}

/** One file that needs nothing else and runs nothing. */
export function reportHtml(facts: ReportFacts): string {
  const { total } = facts;
  const row = (cells: readonly (string | number)[]) =>
    `<tr>${cells.map((cell) => `<td>${inHtml(String(cell))}</td>`).join("")}</tr>`;
  const owners = ownerRows(facts).map(([name, lines, note]) =>
    row([name, lines, `${shareOf(lines, total)} %`, note]),
  );
  const files = facts.files.map(({ path, added, agents, humans, unknown }) =>
    row([path, added, agents, humans, unknown]),
  );
  const prompts = facts.sessions.flatMap((session) => session.prompts ?? []);
  const listOf = (items: readonly string[]) =>
    `<ul>${items.map((item) => `<li>${inHtml(item)}</li>`).join("")}</ul>`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Who wrote ${inHtml(facts.range)}</title>
<meta http-equiv="content-security-policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>body{font:15px system-ui;margin:2rem auto;max-width:60rem;padding:0 1rem}table{border-collapse:collapse}td,th{padding:.2rem .8rem .2rem 0;text-align:left}li{white-space:pre-wrap}</style></head>
<body><h1>Who wrote ${inHtml(facts.range)}</h1>
<p>${total.added} lines added, ${total.deleted} deleted, in ${facts.commits} commits (${facts.notedCommits} with an authorship note).</p>
<table><tr><th>Owner</th><th>Lines</th><th>Share</th><th></th></tr>${owners.join("")}</table>
${facts.hints.length > 0 ? `<h2>To look at</h2>${listOf(facts.hints.map(({ text }) => text))}` : ""}
<h2>Files</h2><table><tr><th>File</th><th>Added</th><th>Agents</th><th>People</th><th>Unknown</th></tr>${files.join("")}</table>
${facts.tests.length > 0 ? `<h2>Changed tests</h2>${listOf(facts.tests)}` : ""}
${prompts.length > 0 ? `<h2>Prompts</h2>${listOf(prompts)}` : ""}
</body></html>
`;
}

/** SARIF 2.1.0: lines without a known owner as notes, hints as results without a place. */
export function reportSarif(facts: ReportFacts): object {
  const rule = (id: string, text: string) => ({ id, shortDescription: { text } });
  return {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: {
          driver: {
            name: "Keyframe",
            version: keyframeVersion,
            rules: [
              rule("unknown-lines", "Lines that nobody is known to have written"),
              rule("unknown-share", "A large share of the added lines has no known owner"),
              rule("no-notes", "Commits without an authorship note"),
              rule("agent-tests", "Tests that agents alone wrote"),
              rule("no-tests", "Agents' lines without a changed test"),
            ],
          },
        },
        results: [
          ...facts.unknownLines.map(({ path, first, last }) => ({
            ruleId: "unknown-lines",
            level: "note",
            message: { text: "No evidence tells who wrote these lines." },
            locations: [
              {
                physicalLocation: {
                  artifactLocation: { uri: path.split("/").map(encodeURIComponent).join("/") },
                  region: { startLine: first, endLine: last },
                },
              },
            ],
          })),
          ...facts.hints.map(({ rule: ruleId, text }) => ({ ruleId, level: "note", message: { text } })),
        ],
      },
    ],
  };
}

const maxAnnotations = 50;

/** Workflow commands of GitHub that mark lines without a known owner in the change. */
export function githubAnnotations({ unknownLines }: ReportFacts): string[] {
  const property = (text: string) =>
    cleanLine(text).replace(
      /[%\r\n:,]/g,
      (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
    );
  return unknownLines
    .slice(0, maxAnnotations)
    .map(
      ({ path, first, last }) =>
        `::notice file=${property(path)},line=${first},endLine=${last},title=Owner unknown::No evidence tells who wrote these lines.`,
    );
}

/** What others wrote cannot end a cell, mention anyone, or become markup. */
function inTable(text: string): string {
  return inCode(text).replaceAll("|", "\\|");
}

function inCode(text: string): string {
  const clean = cleanLine(text).replaceAll("`", "'").trim();
  return clean === "" ? "-" : `\`${clean}\``;
}

function shorten(text: string): string {
  const flat = cleanText(text).replace(/\s+/g, " ").trim();
  const letters = Array.from(flat);
  return letters.length <= longestPrompt ? flat : `${letters.slice(0, longestPrompt - 1).join("")}…`;
}

function inHtml(text: string): string {
  return cleanText(text).replace(/[&<>"':]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
