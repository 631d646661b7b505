// Every place, beside the transcript itself, in which a secret that a user pasted could be stored or handed on.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startAgentSession } from "../support/agent-session.ts";
import { createTestRepository, type TestRepository } from "../support/test-repository.ts";

// put together here, so that no scanner takes this file for a leak
const secret = `ghp${"_"}aB3dE5gH7jK9mN1pQ3sT5vW7xZ2cD4fG6hJ8`;
const readable = secret.slice(4, 24);

let repository: TestRepository;
beforeAll(async () => {
  repository = createTestRepository();
  repository.write("a.txt", "one\n");
  repository.commit("start");
  repository.keyframe(["enable"]);
  repository.git("switch", "-qc", `fix/${secret}`);
  const session = startAgentSession(repository, "s-places", { through: "program" });
  await session.prompt(`push with ${secret}`);
  await session.write("a.txt", "one\ntwo\n");
  session.say(`I used ${secret}`);
  await session.stop();
  repository.git("add", "-A");
  repository.git("commit", "-qm", "two");
  repository.git("tag", "linked");
  repository.keyframe(["mark", `before ${secret}`]);
  const lane = "one=sh -c 'echo three >> a.txt'";
  const race = ["race", "start", "--lane", lane, "--prompt", `append ${secret}`, "--json"];
  const { id } = JSON.parse(repository.keyframe(race).stdout) as { id: string };
  repository.keyframe(["race", "adopt", id, "one"]);
  await session.end();
});
afterAll(() => repository.remove());

test("no object of git that we made holds it: records, notes, snapshots, marks, messages", () => {
  const listed = repository.git("cat-file", "--batch-all-objects", "--batch-check");
  const ids = listed.split("\n").map((line) => line.split(" ")[0]);
  const contents = repository.gitBytes(["cat-file", "--batch"], { input: `${ids.join("\n")}\n` });
  expect(contents.includes("append REDACTED")).toBe(true);
  expect(contents.includes("before REDACTED")).toBe(true);
  expect(contents.includes("push with REDACTED")).toBe(true);
  const leaks = contents
    .toString("latin1")
    .split("\n")
    .filter((line) => line.includes(readable));
  expect(leaks).toEqual([]);
});

test.each([
  ["show", ["show", "HEAD", "--json"]],
  ["blame", ["blame", "a.txt", "--json"]],
  ["explain of a line", ["explain", "a.txt:2"]],
  ["explain of a commit", ["explain", "linked", "--json"]],
  ["the timeline", ["timeline", "--json"]],
  ["sessions", ["session", "list", "--json"]],
  ["list", ["list", "--json"]],
  ["search", ["search", "push", "--json"]],
])("what is printed of it by %s does not hold it", (_name, args) => {
  const { stdout, stderr } = repository.keyframe(args);
  expect(stdout.length).toBeGreaterThan(2);
  const lines = `${stdout}${stderr}`.split("\n");
  // the branch is the user's own name for it, and git prints it as well
  expect(lines.filter((line) => line.includes(readable) && !line.includes(`fix/${secret}`))).toEqual([]);
});

test("problems and traces do not hold it", () => {
  const directory = join(repository.folder, ".git/keyframe");
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && /problems|trace/.test(join(entry.parentPath, entry.name)),
  );
  for (const { parentPath, name } of files)
    expect(readFileSync(join(parentPath, name), "utf8")).not.toContain(readable);
});
