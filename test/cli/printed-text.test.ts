import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "@stricli/core";
import { expect, test } from "vitest";
import { application } from "../../src/cli/application.ts";
import type { CliContext } from "../../src/cli/command/context.ts";

// What others wrote reaches a terminal through one place, which cleans it. These look at the sources, so that a new way
// round it, or a command that is shown with a word that nobody quoted, is seen where it is written.

const root = join(import.meta.dirname, "../..");
const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => [name, readFileSync(join(root, "src", name), "utf8")] as const);

/** Modules that write to a stream of the process, and why nothing in what they write drives a terminal. */
const writers: Readonly<Record<string, string>> = {
  "bin/keyframe.ts": "only where the program itself cannot be loaded",
  "cli/blame/incremental.ts": "exactOutput, cleanText, and ids of ours",
  "cli/command/pager.ts": "exactOutput",
  "cli/explain/explain.ts": "exactOutput",
  "cli/export/export.ts": "cleanJson",
  "cli/hooks/push.ts": "cleanText",
  "cli/hooks/settle.ts": "an id, and names by cleanLine",
  "cli/journal/journal.ts": "cleanJson",
  "cli/list/list.ts": "cleanJson",
  "cli/log/log.ts": "cleanText",
  "cli/main.ts": "help, which is ours",
  "cli/mcp/mcp.ts": "JSON for a program",
  "cli/output/progress.ts": "a label and numbers of ours",
  "cli/output/terminal.ts": "the place itself",
  "cli/race/diff.ts": "exactOutput",
  "cli/remote-helper/remote-helper.ts": "git's protocol, and cleanText for what the guest's git says",
  "cli/run/work-in-machine.ts": "a program of the user's in a machine, as with ssh",
  "cli/sandbox/run-exec.ts": "a program of the user's in a machine, as with ssh",
  "cli/show/show.ts": "exactOutput",
  "sandbox/qemu/resume-watchdog.ts": "a process of ours, read by us",
};

test("modules that write past the terminal that cleans are known, each with its reason", () => {
  const writes =
    /\b(?:stdout|stderr|stream)\.write\(|\.pipe\((?:globalThis\.)?(?:process\.)?std(?:out|err)\b|^\s*console\.\w+\(/m;
  const found = sources.filter(([, text]) => writes.test(text)).map(([name]) => name);
  expect(found.sort()).toEqual(Object.keys(writers).sort());
});

test.each([
  ["a command", ["sta\u001b[31mtus"]],
  ["a command of a group", ["race", "sho\u001b[31mw"]],
  ["an option", ["status", "--f\u001b]0;title\u0007oo"]],
  ["one argument too many", ["status", "\u001b[2J"]],
  ["a value that cannot be parsed", ["timeline", "--limit", "1\u009b2J"]],
  ["a value that is not among those known", ["run", "--in", "\u001b[2J", "--", "true"]],
])("%s that is wrong is repeated without what drives a terminal", async (_, argv) => {
  let said = "";
  const write = (text: string) => {
    said += text;
    return true;
  };
  const process = { stdout: { write }, stderr: { write }, env: {} };
  await run(application, argv, { process } as unknown as CliContext);
  expect(said).not.toBe("");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  expect(said).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
});

/** Parts of commands in messages that nobody quotes, and why no shell takes them apart. */
const plainParts: Readonly<Record<string, readonly string[]>> = {
  "digits of an object id or of a checkpoint's id": [
    "checkpoints/doctor/find-problems.ts id",
    "checkpoints/query/read-transcript.ts id",
    "cli/doctor/checks/notes.ts commit",
    "cli/race/diff.ts commit.slice(0, 12)",
    "cli/resume/resume.ts session.checkpoint",
    "lsp/conversation-file.ts page.checkpoint.id",
    "lsp/describe-owner.ts checkpoint",
    "race/adopt/adopt.ts adoption.before.slice(0, 12)",
  ],
  "letters, digits, dots and dashes, checked when it was given (fork-name.ts, sandbox/ids.ts, blocks/ids.ts)":
    [
      "blocks/images/publish/publish-image.ts name",
      "cli/fork/fork-into-machines.ts name",
      "cli/remote-helper/remote-helper.ts to.sandbox",
      "cli/run/run-in-worktree.ts name",
      "cli/run/work-in-machine.ts name",
      "cli/timeline/show-moment.ts snapshot",
      "sandbox/image/build.ts name",
      "sandbox/lifecycle/resume-sandbox.ts latest.name ?? latest.id",
      "sandbox/removal/find-problems.ts label",
      "sandbox/store/sandbox-store.ts label",
      "sandbox/store/snapshot-store.ts name",
      "timeline/fork/fork.ts name",
    ],
  "words of our own": [
    "checkpoints/rewind/head-move.ts waiting[1]",
    "cli/doctor/checks/agents.ts tool",
    "cli/doctor/checks/notes.ts notesRef",
    "cli/migrate/migrate.ts to",
    "cli/race/start.ts race.id",
    "race/run/run-race.ts race.id",
    "cli/status/status.ts name",
    "sandbox/store/snapshot-store.ts kind",
  ],
  "checked where it is made": ["cli/fork/fork-into-machines.ts command", "cli/hooks/push.ts named"],
};

test("every word in a command that is shown is quoted, or of a form that needs none", () => {
  const shown = /(?:\\`|: | {2})(?:keyframe|git) (?:[a-z][a-z -]*)?(?:[^`"\\\n]|\\[^`])*\$\{[^`"\n]*/g;
  const plain = new Set(Object.values(plainParts).flat());
  const unquoted = sources.flatMap(([name, text]) =>
    [...text.matchAll(shown)].flatMap(([command]) =>
      [...command.matchAll(/\$\{((?:[^{}]|\{[^}]*\})*)\}/g)].flatMap(([, part = ""]) =>
        /^shellQuote\(|^quoted[A-Z]/.test(part) ? [] : [`${name} ${part}`],
      ),
    ),
  );
  expect(unquoted.filter((part) => !plain.has(part))).toEqual([]);
});
