import { rootRoutes } from "./application.ts";

/** The commands of `keyframe --help`, by what people want; every one that is not hidden is in one group. */
export const commandGroups: readonly (readonly [title: string, commands: readonly string[]])[] = [
  [
    "Everyday",
    [
      "enable",
      "disable",
      "status",
      "agents",
      "run",
      "human",
      "blame",
      "diff",
      "log",
      "show",
      "stats",
      "report",
      "doctor",
      "clean",
      "demo",
    ],
  ],
  [
    "Conversations",
    [
      "list",
      "explain",
      "search",
      "tokens",
      "resume",
      "rewind",
      "session",
      "push",
      "fetch",
      "migrate",
      "redact",
      "rm",
    ],
  ],
  ["Moments", ["timeline", "mark", "fork", "race", "web"]],
  ["Machines", ["sandbox", "snapshot", "image", "serve"]],
  [
    "Plumbing",
    [
      "settle",
      "ci",
      "export",
      "journal",
      "record",
      "hook",
      "mcp",
      "acp",
      "lsp",
      "trace",
      "completion",
      "version",
    ],
  ],
];

const columns = 100;
const indent = 2;

/** `keyframe --help`, with or without a command line that names no command. */
export function groupedHelp(briefs: ReadonlyMap<string, string>): string {
  const width = Math.max(...[...briefs.keys()].map((name) => name.length)) + 2;
  const groups = commandGroups.map(([title, names]) => {
    const rows = names.map((name) => describeCommand(name, briefs.get(name) ?? "", width));
    return [title, ...rows].join("\n");
  });
  return [
    "Checkpoints for AI coding agents: who wrote every line, the conversation behind it, and the machine",
    "it worked on.",
    "",
    "Usage: keyframe <command> [options]",
    "",
    groups.join("\n\n"),
    "",
    "`keyframe <command> --help` shows the options and an example of each.",
    "",
  ].join("\n");
}

function describeCommand(name: string, brief: string, width: number): string {
  const lines: string[] = [];
  let line = " ".repeat(indent) + name.padEnd(width);
  for (const word of brief.split(" ")) {
    if (line.length + word.length > columns && line.trim() !== "") {
      lines.push(line.trimEnd());
      line = " ".repeat(indent + width);
    }
    line += `${word} `;
  }
  return [...lines, line.trimEnd()].join("\n");
}

/** What each command says of itself; hidden ones are left out. */
export function readBriefs(): ReadonlyMap<string, string> {
  return new Map(
    rootRoutes
      .getAllEntries()
      .filter(({ hidden }) => !hidden)
      .map(({ name, target }) => [name.original, target.brief]),
  );
}
