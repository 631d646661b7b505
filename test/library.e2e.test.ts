// Covers src/*.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openRepository } from "../src/index.ts";
import { startAgentSession } from "./support/agent-session.ts";
import { scratchFolder } from "./support/scratch.ts";
import { createTestRepository, type TestRepository } from "./support/test-repository.ts";

let repository: TestRepository;
beforeEach(async () => {
  repository = createTestRepository();
  repository.write("poem.txt", "a line of nobody\n");
  repository.commit("one");
  repository.keyframe(["enable"]);
  const agent = startAgentSession(repository, "s");
  await agent.prompt("write a poem");
  await agent.write("poem.txt", "a line of nobody\na line of Claude\n");
  agent.say("done");
  await agent.stop();
});
afterEach(() => repository.remove());

/** The example of docs/library.md, as somebody who installed the package would run it. */
function runExample(): { readonly stdout: string; readonly stderr: string } {
  const example = /```js\n([\s\S]*?)```/.exec(readFileSync("docs/library.md", "utf8"))?.[1] ?? "";
  const folder = scratchFolder();
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(resolve("."), join(folder, "node_modules", "keyframe-cli"));
  writeFileSync(join(folder, "example.mjs"), example);
  return spawnSync(process.execPath, ["--preserve-symlinks", join(folder, "example.mjs")], {
    cwd: repository.folder,
    env: repository.env,
    encoding: "utf8",
  });
}

test("the documented example runs as it is written", () => {
  repository.commit("a poem");
  const { stdout, stderr } = runExample();
  expect(stderr).toBe("");
  expect(stdout.replaceAll(/[0-9a-f]{12}/g, "<id>")).toBe(
    [
      "1 ?: a line of nobody",
      "2 claude claude-test-1: a line of Claude",
      "<id> Claude Code: write a poem",
      "  touched poem.txt",
      "checkpoint not found: no-such-word",
      "",
    ].join("\n"),
  );
});

test("owners of the work tree include what is not committed; of a revision they do not", async () => {
  const opened = openRepository(repository.folder);
  const owners = async (revision?: string) =>
    (await opened.ownersOf("poem.txt", revision === undefined ? {} : { revision })).map(
      ({ line, commit, owner }) => [line, commit !== undefined, owner?.kind],
    );
  expect(await owners()).toEqual([
    [1, true, undefined],
    [2, false, "agent"],
  ]);
  expect(await owners("HEAD")).toEqual([[1, true, undefined]]);
});

test("what cannot be answered is an error with a code", async () => {
  expect(() => openRepository(scratchFolder())).toThrow(expect.objectContaining({ code: "not-found" }));
  const opened = openRepository(repository.folder);
  await expect(opened.ownersOf("no-such-file")).rejects.toMatchObject({ code: "not-found" });
  await expect(opened.ownersOf("poem.txt", { revision: "--contents=/etc/passwd" })).rejects.toMatchObject({
    code: "usage",
  });
  await expect(opened.explain("no-such-word")).rejects.toMatchObject({ code: "not-found" });
});
