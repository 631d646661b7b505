// Covers src/authorship/shell/**, src/git/worktree/**.
import { execFileSync } from "node:child_process";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type AuthorshipRepo, agentA, agentB, makeAuthorshipRepo } from "../support/authorship-repo.ts";

// What git brings into the work tree during an agent's shell call existed before it: whoever owned it owns it still. It
// is never the agent's (A) whose shell ran git.

let repo: AuthorshipRepo;
let calls = 0;
beforeEach(() => {
  repo = makeAuthorshipRepo();
  repo.write("f", "base");
  repo.git("add", "f");
  repo.git("commit", "-qm", "base");
});
afterEach(() => repo.remove());

type Writer = "K" | "U" | "B";
const writers: readonly Writer[] = ["K", "U", "B"];

function bash(script: string): void {
  execFileSync("bash", ["-c", script], { cwd: repo.folder, stdio: "ignore", env: shellEnv() });
}

function shellEnv(): NodeJS.ProcessEnv {
  const { GIT_DIR: _dir, ...env } = process.env;
  return { ...env, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1", GIT_EDITOR: "true" };
}

/** The shell tool of agent A. */
function shell(script: string): void {
  calls += 1;
  repo.shellBegins(`git-${calls}`, agentA);
  bash(`${script} || true`);
  repo.shellEnds(`git-${calls}`, agentA);
}

/** Lines written by somebody who is not A. */
function write(writer: Writer, path: string, ...lines: string[]): void {
  if (writer === "B") {
    repo.agentEdit(path, () => repo.write(path, ...lines), agentB);
    return;
  }
  repo.snapshot(path);
  repo.write(path, ...lines);
  if (writer === "K") repo.humanSaves(path);
}

async function commitBy(writer: Writer, path: string, ...lines: string[]): Promise<string> {
  write(writer, path, ...lines);
  repo.git("add", path);
  return repo.commitIndex();
}

/** Waits for the next second: git's times have no smaller unit, and a commit is to be older than the call. */
const nextSecond = () => execFileSync("sleep", ["1.05"]);

type Scenario = readonly [
  title: string,
  path: string,
  expected: string,
  run: (writer: Writer) => Promise<void>,
];

// in `expected` W is the writer's line
const scenarios: readonly Scenario[] = [
  [
    "switch to a branch one commit past the fork",
    "p",
    "W",
    async (writer) => {
      repo.git("switch", "-qc", "theirs");
      await commitBy(writer, "p", "theirs");
      repo.git("switch", "-q", "main");
      await commitBy("U", "q", "mine");
      shell("git switch theirs");
    },
  ],
  [
    "checkout there, test and back",
    "p",
    "W",
    async (writer) => {
      repo.git("switch", "-qc", "theirs");
      await commitBy(writer, "p", "theirs");
      repo.git("switch", "-q", "main");
      shell("git checkout theirs && cat p && git checkout -");
      repo.git("switch", "-q", "theirs");
    },
  ],
  [
    "rebase over it",
    "p",
    "W",
    async (writer) => {
      repo.git("switch", "-qc", "ft");
      repo.agentEdit("g", () => repo.write("g", "a"));
      await repo.commit();
      repo.git("switch", "-q", "main");
      await commitBy(writer, "p", "theirs");
      repo.git("switch", "-q", "ft");
      nextSecond();
      shell("git rebase main");
    },
  ],
  [
    "pull --rebase",
    "p",
    "W",
    async (writer) => {
      bash(
        "git clone -q --bare . .git/up && git remote add origin .git/up && git fetch -q && git branch -u origin/main",
      );
      await commitBy(writer, "p", "theirs");
      bash("git push -q origin main && git reset -q --hard HEAD~");
      await commitBy("U", "q", "mine");
      shell("git pull --rebase");
    },
  ],
  [
    "pull of what others made meanwhile",
    "p",
    "U",
    async () => {
      bash(
        "git clone -q --bare . .git/up && git remote add origin .git/up && git fetch -q && git branch -u origin/main",
      );
      shell(
        "git clone -q .git/up .git/other && cd .git/other && git config user.name O && git config user.email o@x && echo theirs >p && git add p && git commit -qm theirs && git push -q && cd ../.. && git pull -q",
      );
    },
  ],
  [
    "reset --hard to a remote branch",
    "p",
    "W",
    async (writer) => {
      bash("git clone -q --bare . .git/up && git remote add origin .git/up && git fetch -q");
      await commitBy(writer, "p", "theirs");
      bash("git push -q origin main && git reset -q --hard HEAD~");
      await commitBy("U", "q", "mine");
      shell("git reset --hard origin/main");
    },
  ],
  [
    "stash and pop in two calls",
    "f",
    "UW",
    async (writer) => {
      write(writer, "f", "base", "wip");
      shell("git stash");
      shell("git stash pop");
      await repo.commit();
    },
  ],
  [
    "stash and pop in one call",
    "f",
    "UW",
    async (writer) => {
      write(writer, "f", "base", "wip");
      shell("git stash && git stash pop");
      await repo.commit();
    },
  ],
  [
    "stash and pop of a new file, with -u",
    "n",
    "W",
    async (writer) => {
      write(writer, "n", "new");
      shell("git stash -u");
      shell("git stash pop && git add n");
      await repo.commit();
    },
  ],
  [
    "pop, then commit in the same call",
    "f",
    "UW",
    async (writer) => {
      write(writer, "f", "base", "wip");
      repo.git("stash", "-q");
      shell("git stash pop && git commit -qam popped");
      await repo.settle();
    },
  ],
  [
    "revert of a revert",
    "f",
    "UW",
    async (writer) => {
      await commitBy(writer, "f", "base", "line");
      repo.git("revert", "--no-edit", "HEAD");
      await repo.settle();
      shell("git revert --no-edit HEAD");
    },
  ],
  [
    "revert without commit, committed by hand in the call",
    "f",
    "UW",
    async (writer) => {
      await commitBy(writer, "f", "base", "line");
      repo.git("revert", "--no-edit", "HEAD");
      await repo.settle();
      shell("git revert -n HEAD && git commit -qm back");
    },
  ],
  [
    "rebase -i with squash",
    "f",
    "UWW",
    async (writer) => {
      await commitBy(writer, "f", "base", "one");
      await commitBy(writer, "f", "base", "one", "two");
      shell("GIT_SEQUENCE_EDITOR='sed -i 2s/pick/squash/' git rebase -i HEAD~2");
    },
  ],
  [
    "rebase -i with fixup",
    "f",
    "UWW",
    async (writer) => {
      await commitBy(writer, "f", "base", "one");
      await commitBy(writer, "f", "base", "one", "two");
      nextSecond();
      shell("GIT_SEQUENCE_EDITOR='sed -i 2s/pick/fixup/' git rebase -i HEAD~2");
    },
  ],
  [
    "merge --squash and commit",
    "f",
    "UWW",
    async (writer) => {
      repo.git("switch", "-qc", "theirs");
      await commitBy(writer, "f", "base", "one");
      await commitBy(writer, "f", "base", "one", "two");
      repo.git("switch", "-q", "main");
      await commitBy("U", "q", "mine");
      shell("git merge --squash theirs && git commit -qm squashed");
    },
  ],
  [
    "merge --squash, committed later",
    "f",
    "UUUWW",
    async (writer) => {
      await commitBy("U", "f", "base", "m", "n");
      repo.git("switch", "-qc", "theirs");
      await commitBy(writer, "f", "base", "m", "n", "one");
      await commitBy(writer, "f", "base", "m", "n", "one", "two");
      repo.git("switch", "-q", "main");
      await commitBy("U", "f", "top", "m", "n");
      shell("git merge --squash theirs");
      await repo.commit();
    },
  ],
  [
    "merge --no-commit",
    "f",
    "UUUW",
    async (writer) => {
      await commitBy("U", "f", "base", "m", "n");
      repo.git("switch", "-qc", "theirs");
      await commitBy(writer, "f", "base", "m", "n", "one");
      repo.git("switch", "-q", "main");
      await commitBy("U", "f", "top", "m", "n");
      shell("git merge --no-commit theirs");
      await repo.commit();
    },
  ],
  [
    "checkout --theirs in a conflict",
    "f",
    "W",
    async (writer) => {
      repo.git("switch", "-qc", "theirs");
      await commitBy(writer, "f", "one");
      repo.git("switch", "-q", "main");
      await commitBy("U", "f", "other");
      shell("git merge theirs; git checkout --theirs f && git add f && git commit -qm merged");
    },
  ],
  [
    "cherry-pick -n",
    "f",
    "UUW",
    async (writer) => {
      await commitBy("U", "f", "base", "z");
      repo.git("switch", "-qc", "theirs");
      await commitBy(writer, "f", "base", "z", "one");
      repo.git("switch", "-q", "main");
      await commitBy("U", "f", "top", "z");
      shell("git cherry-pick -n theirs && git commit -qam picked");
    },
  ],
  [
    "checkout of a path from a branch",
    "f",
    "UW",
    async (writer) => {
      repo.git("switch", "-qc", "theirs");
      await commitBy(writer, "f", "base", "one");
      repo.git("switch", "-q", "main");
      shell("git checkout theirs -- f");
      await repo.commit();
    },
  ],
  [
    "checkout of a path from the stash",
    "f",
    "UW",
    async (writer) => {
      write(writer, "f", "base", "wip");
      repo.git("stash", "-q");
      shell("git checkout stash -- f");
      await repo.commit();
    },
  ],
  [
    "restore from a branch",
    "f",
    "UW",
    async (writer) => {
      repo.git("switch", "-qc", "theirs");
      await commitBy(writer, "f", "base", "one");
      repo.git("switch", "-q", "main");
      shell("git restore --source=theirs f");
      await repo.commit();
    },
  ],
  [
    "show into a file",
    "f",
    "UW",
    async (writer) => {
      repo.git("switch", "-qc", "theirs");
      await commitBy(writer, "f", "base", "one");
      repo.git("switch", "-q", "main");
      shell("git show theirs:f >f");
      await repo.commit();
    },
  ],
  [
    "copying a committed file",
    "copy",
    "UW",
    async (writer) => {
      await commitBy(writer, "f", "base", "one");
      shell("cp f copy");
      await repo.commit();
    },
  ],
  [
    "copying a file that is not committed",
    "copy",
    "UW",
    async (writer) => {
      write(writer, "f", "base", "one");
      shell("cp f copy");
      await repo.commit();
    },
  ],
  [
    "moving a file away and back with commits, over lines that are not committed",
    "f",
    "UW",
    async (writer) => {
      write(writer, "f", "base", "one");
      shell("git mv f moved && git commit -qm there && git mv moved f && git commit -qm back");
      await repo.commit();
    },
  ],
  [
    "moving a file away and back and committing all",
    "f",
    "UW",
    async (writer) => {
      write(writer, "f", "base", "one");
      shell("git mv f moved && git commit -qam there && git mv moved f && git commit -qam back");
    },
  ],
];

describe.each(writers)("what %s wrote is never the agent's whose shell runs git", (writer) => {
  test.each(scenarios)("%s", async (_title, path, expected, run) => {
    await run(writer);
    await repo.settle();
    expect(repo.blame(path)).toBe(expected.replaceAll("W", writer));
  });
});

describe("what the agent writes in the same call is its own", () => {
  test("after a checkout, committed with it", async () => {
    repo.git("switch", "-qc", "theirs");
    await commitBy("U", "f", "base", "one");
    repo.git("switch", "-q", "main");
    shell("git checkout theirs -- f && echo mine >>f && git commit -qam mixed");
    await repo.settle();
    expect(repo.blame("f")).toBe("UUA");
  });

  test("on another branch", async () => {
    repo.git("switch", "-qc", "theirs");
    await commitBy("U", "f", "base", "one");
    repo.git("switch", "-q", "main");
    shell("git switch -q theirs && echo mine >>f && git commit -qam mine && git switch -q main");
    repo.git("switch", "-q", "theirs");
    await repo.settle();
    expect(repo.blame("f")).toBe("UUA");
  });

  test("also lines that are everywhere, beside lines of others", async () => {
    repo.git("switch", "-qc", "theirs");
    await commitBy("U", "f", "base", "{", "one", "}");
    repo.git("switch", "-q", "main");
    shell("printf 'base\\n{\\nmine\\n}\\n' >f && git add f");
    await repo.commit();
    expect(repo.blame("f")).toBe("UAAA");
  });

  test("and what it stashes and pops in one go", async () => {
    shell("echo mine >>f && git stash && git stash pop && git commit -qam mine");
    await repo.settle();
    expect(repo.blame("f")).toBe("UA");
  });

  test("amended into its own commit", async () => {
    shell("echo one >>f && git commit -qam one && echo two >>f && git commit -qa --amend --no-edit");
    await repo.settle();
    expect(repo.blame("f")).toBe("UAA");
  });
});

test.each([
  ["makes commits", "git revert --no-edit HEAD && git revert --no-edit HEAD"],
  ["switches", "git switch -qc other HEAD~"],
  [
    "commits a part of it",
    "printf 'base\\ntheirs\\n' >.git/part && git update-index --cacheinfo 100644,$(git hash-object -w .git/part),f && git commit -qm part",
  ],
])("what a person left uncommitted is not the call's that %s", async (_title, script) => {
  await commitBy("U", "q", "one");
  repo.write("f", "base", "theirs", "more");
  shell(script);
  await repo.commit();
  expect(repo.blame("f")).toBe("UUU");
});

test("a commit beside the agent's is not taken for its amendment when HEAD switches there", async () => {
  await commitBy("U", "f", "base", "  x = 1");
  repo.git("switch", "-qc", "theirs", "HEAD~");
  repo.agentEdit("f", () => repo.write("f", "base", "x = 1"), agentA);
  await repo.commit();
  repo.agentEdit("g", () => repo.write("g", "pending"), agentA);
  repo.git("switch", "-q", "main");
  await repo.settle();
  expect(repo.blame("f")).toBe("UU");
  expect(repo.note()).toBe("");
});

test("a commit of a person's terminal during the call is not the call's", async () => {
  repo.shellBegins("1");
  repo.write("p", "by a person");
  repo.git("add", "p");
  repo.git("commit", "-qm", "person");
  const { pruneAndListShellCalls, writeShellCall } = await import("../../src/journal/calls/shell-calls.ts");
  const { mustFindRepository } = await import("../../src/git/repository.ts");
  const { nodeObserveDeps } = await import("../support/authorship-repo.ts");
  const repository = mustFindRepository(repo.folder, nodeObserveDeps);
  const head = repo.git("rev-parse", "HEAD");
  // what git's post-commit hook leaves when no open call is among its ancestors
  for (const call of pruneAndListShellCalls(repository, nodeObserveDeps))
    writeShellCall(repository, nodeObserveDeps.files, { ...call, judged: [head as never] });
  repo.shellEnds("1");
  await repo.settle();
  expect(repo.blame("p")).toBe("U");
});
