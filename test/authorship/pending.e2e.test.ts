import { afterAll, beforeAll, expect, test } from "vitest";
import type { PendingOwners } from "../../src/authorship/blame/pending-owners.ts";
import { runBlame } from "../../src/cli/blame/blame.ts";
import { type CliContext, nodeCliContext } from "../../src/cli/command/context.ts";
import { runDiff } from "../../src/cli/diff/diff.ts";
import { createTerminal } from "../../src/cli/output/terminal.ts";
import { createTestRepository, type TestRepository } from "../support/test-repository.ts";

let repository: TestRepository;
const metadata = { sessions: { s_1: { agent_id: { tool: "claude", id: "c", model: "unknown" } } } };
const pending: PendingOwners = (path) =>
  path === "src/f" || path === "src/new"
    ? { runs: [{ first: 2, last: 3, key: "s_1::t_1" }], metadata }
    : undefined;

beforeAll(() => {
  repository = createTestRepository();
  repository.write("src/f", "committed\n");
  repository.commit("one");
  repository.write("src/f", "typed\nagent\ncommitted\n");
  repository.write("src/new", "typed\nagent\n");
  repository.git("add", "src/new");
});
afterAll(() => repository.remove());

async function output(run: (context: CliContext) => Promise<void>): Promise<string> {
  const pieces: Buffer[] = [];
  const stream = {
    write(content: string | Uint8Array, done?: () => void) {
      pieces.push(Buffer.from(content as string));
      done?.();
    },
  };
  const { env, folder: cwd } = repository;
  const context = {
    process: { stdout: stream, stderr: stream },
    terminal: createTerminal(stream, stream, env),
  };
  await run({ ...nodeCliContext(), ...context, env, cwd });
  return Buffer.concat(pieces).toString("utf8");
}

test("blame shows the pending owner of a line that is not committed, and of no other", async () => {
  const text = await output((context) => runBlame(context, ["src/f"], pending));
  expect(text.split("\n").map((line) => /claude/.test(line))).toEqual([false, true, false, false]);
});

test("blame of other contents does not use what is pending in the work tree", async () => {
  const text = await output((context) => runBlame(context, ["--contents", "src/new", "src/f"], pending));
  expect(text).not.toContain("claude");
});

test("diff shows the pending owner of added lines, also of files that no commit has", async () => {
  const changed = await output((context) => runDiff(context, [], pending));
  const added = await output((context) => runDiff(context, ["--cached"], pending));
  const against = await output((context) => runDiff(context, ["HEAD", "--", "src/new"], pending));
  expect(changed.match(/^.*│\+.*$/gm)).toEqual(["       │+typed", "claude │+agent"]);
  expect(added.match(/^.*│\+.*$/gm)).toEqual(["       │+typed", "claude │+agent"]);
  expect(against).toBe(added);
});

test("diff leaves staged lines unknown where the work tree has gone on", async () => {
  repository.write("src/new", "more\ntyped\nagent\n");
  const added = await output((context) => runDiff(context, ["--cached"], pending));
  expect(added).not.toContain("claude");
});
