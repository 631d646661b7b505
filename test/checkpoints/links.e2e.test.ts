import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type AgentSession, startAgentSession } from "../support/agent-session.ts";
import { createTestRepository, type TestRepository } from "../support/test-repository.ts";

let repository: TestRepository;
beforeEach(() => {
  repository = createTestRepository();
  repository.write("README", "hello\n");
  repository.commit("start");
  expect(repository.keyframe(["enable"]).code).toBe(0);
});
afterEach(() => repository.remove());

const trailers = (revision = "HEAD") =>
  repository
    .git("log", "-1", "--format=%(trailers:key=Entire-Checkpoint,valueonly)", revision)
    .split("\n")
    .filter((line) => line !== "");
const commit = (...args: string[]) => {
  repository.git("add", "-A");
  repository.gitBytes(["commit", "-q", ...args]);
  return trailers();
};
const explain = (word: string) => {
  const { code, stdout, stderr } = repository.keyframe(["explain", word, "--json"]);
  if (code !== 0) return { code, stderr };
  return { code, ...JSON.parse(stdout) };
};
const sessionsOf = (word: string) => {
  const explained = explain(word);
  return explained.sessions?.map(({ sessionId }: { sessionId: string }) => sessionId) ?? explained;
};
const list = () => JSON.parse(repository.keyframe(["list", "--json"]).stdout);
const pending = () => JSON.parse(repository.keyframe(["status", "--json"]).stdout).pending;
const lines = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, at) => `line ${from + at}\n`).join("");
async function turn(
  id: string,
  path: string,
  content: string,
  through: "this process" | "program" = "this process",
): Promise<AgentSession> {
  const session = startAgentSession(repository, id, { through });
  await session.prompt(`write ${path} for ${id}`);
  await session.write(path, content);
  session.say(`Done with ${path}.`);
  await session.stop();
  return session;
}

describe("cuts", () => {
  test("lines that an agent cut link their commit, also where a person added some to the same file", async () => {
    repository.write("f", lines(1, 20));
    repository.commit("f");
    await turn("s-cut", "f", `${lines(1, 5)}${lines(12, 20)}`);
    repository.write("f", `${lines(1, 5)}${lines(12, 20)}mine\n`);
    expect(commit("-m", "cut")).toHaveLength(1);
    expect(sessionsOf("HEAD")).toEqual(["s-cut"]);
  });

  test("a cut that the commit does not hold links nothing", async () => {
    repository.write("f", lines(1, 20));
    repository.commit("f");
    await turn("s-cut", "f", `${lines(1, 5)}${lines(12, 20)}`);
    repository.write("f", `${lines(1, 20)}mine\n`);
    expect(commit("-m", "put back")).toEqual([]);
    repository.write("f", `${lines(3, 20)}mine\n`);
    expect(commit("-m", "a cut of a person")).toEqual([]);
  });

  test("a cut waits for the commit that holds it", async () => {
    repository.write("f", lines(1, 20));
    repository.write("g", "g\n");
    repository.commit("f");
    await turn("s-cut", "f", `${lines(1, 5)}${lines(12, 20)}`);
    repository.write("g", "other\n");
    repository.git("add", "g");
    repository.gitBytes(["commit", "-q", "-m", "of a person"]);
    expect(trailers()).toEqual([]);
    repository.write("f", `mine\n${lines(1, 5)}${lines(12, 20)}`);
    expect(commit("-m", "cut")).toHaveLength(1);
  });
});

describe("a formatter in a pre-commit hook", () => {
  const formatter = (script: string) => {
    const hook = join(repository.folder, ".git/hooks/pre-commit");
    writeFileSync(hook, `#!/bin/sh\n${script}\ngit add -u\n`);
    chmodSync(hook, 0o755);
  };

  test.each([
    ["white space", "sed -i 's/^/    /' a.ts"],
    ["every token", 'sed -i "s/\'/\\"/g; s/const/let/" a.ts'],
  ])("that changes %s of every line leaves the commit linked and nothing pending", async (_, script) => {
    repository.write("a.ts", "// begin\n");
    repository.commit("a");
    formatter(script);
    await turn("s-format", "a.ts", "// begin\nconst a = 'x';\nconst b = 'y';\n");
    expect(commit("-m", "formatted")).toHaveLength(1);
    expect(repository.git("show", "HEAD:a.ts")).not.toContain("\nconst a = 'x'");
    expect(sessionsOf("HEAD")).toEqual(["s-format"]);
    expect(pending()).toEqual([]);
  });

  test("a person's rewriting of another file links nothing", async () => {
    await turn("s-other", "mine.ts", "const a = 1;\n");
    repository.write("b.ts", "const b = 2;\n");
    repository.git("add", "b.ts");
    repository.gitBytes(["commit", "-q", "-m", "b"]);
    expect(trailers()).toEqual([]);
  });
});

describe("a commit that no hook saw", () => {
  const bypassed = (...args: string[]) => {
    repository.git("add", "-A");
    repository.gitBytes(["-c", "core.hooksPath=/dev/null", "commit", "-q", ...args]);
  };

  test("is linked by the next command, with the whole conversation", async () => {
    await turn("s-bypass", "c", "c\nc2\n");
    bypassed("-m", "c");
    expect(trailers()).toEqual([]);
    expect(sessionsOf("HEAD")).toEqual(["s-bypass"]);
    expect(explain(list()[0].id).commits).toMatchObject([{ oid: repository.git("rev-parse", "HEAD") }]);
    expect(sessionsOf("c:2")).toEqual(["s-bypass"]);
    expect(list()).toHaveLength(1);
    expect(repository.keyframe(["settle"]).code).toBe(0);
    expect(list()).toHaveLength(1);
    expect(repository.keyframe(["doctor"]).code).toBe(0);
  });

  test("each of several is linked to the work that it holds, and later work to later commits", async () => {
    const session = await turn("s-several", "c", "c\n", "program");
    bypassed("-m", "c");
    repository.write("person", "p\n");
    bypassed("-m", "of a person");
    await session.prompt("and d");
    await session.write("d", "d\n");
    await session.stop();
    bypassed("-m", "d");
    await session.prompt("and e");
    await session.write("e", "e\n");
    await session.stop();
    expect(commit("-m", "e")).toHaveLength(1);
    expect(list().map(({ filesTouched }: { filesTouched: string[] }) => filesTouched)).toEqual([
      ["e"],
      ["d"],
      ["c"],
    ]);
    expect(sessionsOf("HEAD~3")).toEqual(["s-several"]);
    expect(explain("HEAD~2").code).not.toBe(0);
    expect(explain("HEAD~1").sessions[0].prompts).toEqual(["and d"]);
  });

  test("of a removal is linked too, and one whose trailer the user removed stays unlinked", async () => {
    const session = await turn("s-removal", "gone", "x\n");
    commit("-m", "x");
    await session.prompt("remove it");
    await session.shell(() => repository.git("rm", "-q", "gone"));
    await session.stop();
    bypassed("-m", "removed");
    expect(sessionsOf("HEAD")).toEqual(["s-removal"]);
    await session.prompt("again");
    await session.write("again", "again\n");
    await session.stop();
    repository.git("add", "-A");
    const editor = "sed -i '/^Entire-Checkpoint/d; 1i by hand'";
    repository.gitBytes(["-c", `core.editor=${editor}`, "commit", "-q"]);
    expect(trailers()).toEqual([]);
    expect(explain("HEAD").code).not.toBe(0);
  });
});

describe("a commit whose trailers were lost", () => {
  const two = async () => {
    await turn("s-a", "a", "a\na2\n");
    commit("-m", "a");
    await turn("s-b", "b", "b\nb2\n");
    commit("-m", "b");
  };

  test("by a soft reset is linked again when it is committed", async () => {
    await two();
    const ids = [...trailers("HEAD~1"), ...trailers()];
    repository.git("reset", "-q", "--soft", "HEAD~2");
    expect(commit("-m", "both")).toEqual(ids);
    expect(sessionsOf("a:1")).toEqual(["s-a"]);
    expect(sessionsOf("b:2")).toEqual(["s-b"]);
  });

  test("by a soft reset names only what it holds", async () => {
    await two();
    const [a] = trailers("HEAD~1");
    repository.git("reset", "-q", "--soft", "HEAD~2");
    repository.git("rm", "-q", "-f", "b");
    expect(commit("-m", "only a")).toEqual([a]);
  });

  test("by an amend through another message, a reword and a fixup is found by its lines", async () => {
    await two();
    repository.git("reset", "-q", "--hard", "HEAD");
    const env = {
      ...repository.env,
      GIT_SEQUENCE_EDITOR: "sed -i 's/^pick/reword/'",
      GIT_EDITOR: "sh -c 'echo reworded >\"$1\"' -",
    };
    repository.gitBytes(["rebase", "-q", "-i", "HEAD~2"], { env });
    expect([trailers("HEAD~1"), trailers()]).toEqual([[], []]);
    expect(sessionsOf("a:1")).toEqual(["s-a"]);
    expect(sessionsOf("b:1")).toEqual(["s-b"]);
    expect(sessionsOf("HEAD~1")).toEqual(["s-a"]);
  });

  test("by an autosquash is found by its lines", async () => {
    await two();
    await turn("s-c", "c", "c\n");
    commit("--fixup", "HEAD");
    const env = { ...repository.env, GIT_SEQUENCE_EDITOR: "true" };
    repository.gitBytes(["rebase", "-q", "-i", "--autosquash", "HEAD~2"], { env });
    expect(sessionsOf("c:1")).toEqual(["s-c"]);
    expect(sessionsOf("b:1")).toEqual(["s-b"]);
  });

  test("by filter-branch is found by its lines", async () => {
    await two();
    const env = { ...repository.env, FILTER_BRANCH_SQUELCH_WARNING: "1" };
    repository.gitBytes(["filter-branch", "-f", "--msg-filter", "head -1", "HEAD~2..HEAD"], { env });
    expect([trailers("HEAD~1"), trailers()]).toEqual([[], []]);
    expect(sessionsOf("a:1")).toEqual(["s-a"]);
    expect(sessionsOf("b:1")).toEqual(["s-b"]);
  });
});

describe("a squash that a server made", () => {
  const squash = async (message: (ids: readonly string[]) => string) => {
    repository.gitBytes(["checkout", "-q", "-b", "topic"]);
    await turn("s-a", "a", "alpha one\nalpha two\n");
    commit("-m", "a");
    await turn("s-b", "b", "beta one\nbeta two\n");
    commit("-m", "b");
    const ids = [...trailers("HEAD~1"), ...trailers()];
    const tree = repository.git("rev-parse", "HEAD^{tree}");
    const merged = repository.git("commit-tree", tree, "-p", "main", "-m", message(ids));
    repository.gitBytes(["checkout", "-q", "main"]);
    repository.gitBytes(["reset", "-q", "--hard", merged]);
    return ids;
  };

  test("with the title only is found by the branch that ends in the same tree", async () => {
    const ids = await squash(() => "Add both (#1)");
    expect(sessionsOf("a:1")).toEqual(["s-a"]);
    expect(sessionsOf("b:2")).toEqual(["s-b"]);
    const { stdout, stderr } = repository.keyframe(["explain", "HEAD", "--short"]);
    for (const id of ids) expect(stdout).toContain(`Checkpoint: ${id}`);
    // owners that were carried over say more than the tree alone
    expect(stderr).toMatch(/owners of its lines|same tree/);
    const resumed = repository.keyframe(["resume", "HEAD", "--dry-run"]);
    expect(resumed.stdout).toMatch(/claude -r s-[ab]\n.*claude -r s-[ab]/);
  });

  test("that names all ids shows the conversation of a line, not all of them", async () => {
    await squash(
      (ids) => `Add both (#1)\n\n* a\n\nEntire-Checkpoint: ${ids[0]}\n\n* b\n\nEntire-Checkpoint: ${ids[1]}`,
    );
    expect(sessionsOf("b:1")).toEqual(["s-b"]);
    // as a clone of somebody else has it: no branch, no notes
    repository.gitBytes(["branch", "-q", "-D", "topic"]);
    repository.gitBytes(["update-ref", "-d", "refs/notes/ai"]);
    repository.gitBytes(["reflog", "expire", "--expire=now", "--all"]);
    expect(sessionsOf("a:2")).toEqual(["s-a"]);
    expect(sessionsOf("b:1")).toEqual(["s-b"]);
  });
});
