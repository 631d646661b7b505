// Part of the lint: phrases that must not be in what users read (README, docs, messages, --help), each with what to write
// instead. Code, file formats and quotes are left alone: only prose outside of backticks, and texts with a space in them.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

const banned = [
  [/\bfolders?\b(?!\.)/i, "directory"],
  [/\bstands? on\b/i, "depends on"],
  [/\blets go of\b/i, "releases"],
  [/\btold from\b/i, "distinguished from"],
  [/\bif absent\b/i, "(default: x)"],
  [/[;,] [^;,.()]+ by default$/i, "(default: x)"],
  [
    /\b(?<!there )(?:is|are) no (?:plain|JSON|object|text|number|file|snapshot|branch|part|git)\b/i,
    "is not a",
  ],
  [/\b(?:is|are) not taken$/i, "is not supported"],
  [/\bcannot look at\b/i, "cannot stat"],
  [/\banother one than\b/i, "other than"],
  [/\bdoes as well\b/i, "also works"],
];

const list = (...patterns) =>
  execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", ...patterns], {
    encoding: "utf8",
  })
    .split("\n")
    .filter((path) => path !== "");

/** Texts of a source line: strings with a space in them, without what is put in. */
function textsOf(line) {
  if (/^\s*(?:\/\/|\*|\/\*)/.test(line)) return [];
  const literals = line.match(/"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`/g) ?? [];
  return literals
    .map((each) => each.slice(1, -1).replaceAll(/\$\{[^}]*\}/g, "x"))
    .filter((each) => /[A-Za-z] [A-Za-z]/.test(each));
}

/** The prose of a Markdown file by line, without code, links' targets and quotes. */
function proseOf(markdown) {
  const blank = (part) => part.replaceAll(/[^\n]/g, " ");
  return markdown.replaceAll(/```[\s\S]*?```|`[^`\n]*`|\]\([^)]*\)|"[^"\n]*"/g, blank).split("\n");
}

const found = [];
function check(path, number, text) {
  for (const [phrase, instead] of banned) {
    const match = phrase.exec(text);
    if (match !== null) found.push(`${path}:${number}: "${match[0]}": write "${instead}"`);
  }
}

for (const path of list("src/*.ts")) {
  for (const [index, line] of readFileSync(path, "utf8").split("\n").entries())
    for (const text of textsOf(line)) check(path, index + 1, text);
}
for (const path of list("*.md")) {
  for (const [index, line] of proseOf(readFileSync(path, "utf8")).entries()) check(path, index + 1, line);
}
if (found.length > 0) {
  process.stderr.write(`${found.join("\n")}\n`);
  process.exitCode = 1;
}
