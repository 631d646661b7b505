import { execFileSync, spawn } from "node:child_process";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ownersByPath } from "../../src/authorship/note/log.ts";
import { parseAuthorshipLog } from "../../src/authorship/note/log-codec.ts";
import { settle } from "../../src/authorship/settle/settle.ts";
import { openGit } from "../../src/git/git.ts";
import { mustFindRepository } from "../../src/git/repository.ts";
import { pruneAndListShellCalls, writeShellCall } from "../../src/journal/calls/shell-calls.ts";
import { nodeProcesses } from "../../src/system/process/processes.ts";
import {
  type AuthorshipRepo,
  agentA,
  agentB,
  makeAuthorshipRepo,
  nodeObserveDeps,
} from "../support/authorship-repo.ts";

// What is committed, through rebase, cherry-pick, revert, rename and plumbing: lines of an agent (A), of a known human (K)
// and of nobody (U). The numbers are those of the cases in README.md.

let repo: AuthorshipRepo;
beforeEach(() => {
  repo = makeAuthorshipRepo();
});
afterEach(() => repo.remove());

const env = { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1", GIT_EDITOR: "true" };

function bash(script: string, input = ""): string {
  return execFileSync("bash", ["-c", `set -e\n${script}`], {
    cwd: repo.folder,
    env,
    encoding: "utf8",
    input,
    stdio: ["pipe", "pipe", "pipe"],
  });
}

function agent(path: string, lines: readonly string[], who = agentA): void {
  repo.agentEdit(path, () => repo.write(path, ...lines), who);
}

function human(path: string, ...lines: string[]): void {
  repo.snapshot(path);
  repo.write(path, ...lines);
  repo.humanSaves(path);
}

/** Lines that a commit's note claims, by path. */
function claims(commit: string): Record<string, number> {
  const { log } = parseAuthorshipLog(Buffer.from(repo.note(commit)));
  const counted = [...ownersByPath(log)].map(([path, { runs }]): [string, number] => [
    path,
    runs.reduce((sum, { first, last }) => sum + last - first + 1, 0),
  ]);
  return Object.fromEntries(counted.filter(([, lines]) => lines > 0));
}

const numbered = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, at) => `c${String(from + at).padStart(2, "0")}`);

describe("rebase", () => {
  test.each([
    ["with a newline at the end of each file", "\n", 10],
    ["without", "", 11],
  ])(
    "moves the lines of two commits down, each claims exactly its own, %s (S35)",
    async (_title, end, each) => {
      const write = (path: string, lines: readonly string[]) => repo.writeBytes(path, lines.join("\n") + end);
      write("impl.rs", ["first", "second", "base"]);
      await repo.commit();
      bash("git switch -qc feature");
      const edit = (path: string, lines: readonly string[]) => repo.agentEdit(path, () => write(path, lines));
      edit("impl.rs", ["first", "second", "base", ...numbered(1, 10)]);
      edit("module_a", ["a"]);
      await repo.commit();
      edit("impl.rs", ["first", "second", "base", ...numbered(1, 20)]);
      edit("module_b", ["b"]);
      await repo.commit();
      const before = [claims("HEAD~"), claims("HEAD")];
      bash(
        "git switch -q main && { printf 'h1\\nh2\\n'; cat impl.rs; } >t && mv t impl.rs && git commit -qam header",
      );
      bash("git switch -q feature && git rebase -q main");
      await repo.settle();
      expect([claims("HEAD~"), claims("HEAD")]).toEqual(before);
      expect(before).toEqual([
        { "impl.rs": each, module_a: 1 },
        { "impl.rs": each, module_b: 1 },
      ]);
      expect(repo.blame("impl.rs")).toBe(end === "" ? `UUUU${"A".repeat(21)}` : `UUUUU${"A".repeat(20)}`);
    },
  );

  describe("with a conflict between a person's line and an agent's (S37)", () => {
    beforeEach(async () => {
      repo.write("shared", "one", "two", "three");
      await repo.commit();
      bash("git switch -qc feature");
      agent("shared", ["one", "two by the agent", "three"]);
      await repo.commit();
      bash("git switch -q main");
      human("shared", "one", "two by the human", "three");
      await repo.commit();
      bash("git switch -q feature && git rebase -q main || true");
    });

    async function goOn(): Promise<void> {
      bash("git add shared && git -c core.editor=true rebase --continue");
      await repo.settle();
    }

    test("that keeps the feature: the agent's, of the session that wrote it", async () => {
      repo.write("shared", "one", "two by the agent", "three");
      await goOn();
      expect(repo.blame("shared")).toBe("UAU");
    });

    test("that keeps main: the human's, by main's commit", async () => {
      bash("git checkout -q --ours shared && git add shared && git rebase --skip");
      await repo.settle();
      expect(repo.blame("shared")).toBe("UKU");
      expect(repo.git("rev-parse", "feature")).toBe(repo.git("rev-parse", "main"));
    });

    test("that keeps both: each its own, and the human's line stays with main's commit", async () => {
      repo.write("shared", "one", "two by the human", "two by the agent", "three");
      await goOn();
      expect(repo.blame("shared")).toBe("UKAU");
      expect(claims("HEAD")).toEqual({ shared: 1 });
    });

    test("that another agent writes anew: that one's", async () => {
      agent("shared", ["one", "two of both, merged", "three"], agentB);
      await goOn();
      expect(repo.blame("shared")).toBe("UBU");
    });

    test("that nobody was seen writing: unknown", async () => {
      repo.write("shared", "one", "two as nobody had it", "three");
      await goOn();
      expect(repo.blame("shared")).toBe("UUU");
    });
  });

  test("tells apart the commits of one change by the change-id header, whoever moved them", async () => {
    repo.write("f", "base");
    await repo.commit();
    bash("git switch -qc ft");
    const header = "change-id kkmpptxzrspxrzommnulwmwkkqwworpl";
    const withHeader = (parent: string) =>
      `git cat-file commit HEAD | sed 's/^tree .*/&/; s/^parent .*/parent '$(git rev-parse ${parent})'/; /^committer/a ${header}' | sed 's/^author .*/author Mover <m@x> 1700000000 +0000/' | git hash-object -t commit -w --stdin`;
    human("f", "base", "by the human");
    agent("f", ["base", "by the human", "by the agent"]);
    repo.write("f", "base", "by the human", "by the agent", "by nobody");
    await repo.commit();
    bash(`git reset -q --hard $(${withHeader("HEAD~")})`);
    await repo.settle();
    expect(repo.blame("f")).toBe("UKAU");
    // as a tool restacks it: another author line, another parent, no hook, the same change
    bash("git switch -q main && echo u >u && git add u && git commit -qm u");
    bash(
      't=$(git merge-tree --write-tree main ft) && git cat-file commit ft | sed "s/^tree .*/tree $t/; s/^parent .*/parent $(git rev-parse main)/; s/^author .*/author Other <o@x> 1700000999 +0000/" | git hash-object -t commit -w --stdin >.git/new && git update-ref refs/heads/ft $(cat .git/new) && git reflog expire --expire=now --all',
    );
    bash("git switch -q ft");
    await repo.settle();
    expect(repo.blame("f")).toBe("UKAU");
  });
});

describe("cherry-pick (S38)", () => {
  beforeEach(async () => {
    repo.write("f", "shared");
    await repo.commit();
    bash("git switch -qc feature");
    agent("f", ["shared", "ai-1"]);
    await repo.commit();
    agent("f", ["shared", "ai-1", "ai-2"]);
    await repo.commit();
    bash("git switch -q main");
    human("f", "human-1", "human-2", "shared");
    await repo.commit();
  });

  test.each([
    "git cherry-pick main..feature",
    "git cherry-pick feature~ && git cherry-pick feature",
    "git cherry-pick --no-commit main..feature && git commit -qm picked",
  ])("%s", async (script) => {
    bash(script);
    await repo.settle();
    expect(repo.blame("f")).toBe("KKUAA");
  });

  test("several picks map one to one", async () => {
    bash("git cherry-pick main..feature");
    await repo.settle();
    expect([claims("HEAD~"), claims("HEAD")]).toEqual([{ f: 1 }, { f: 1 }]);
  });

  test("a conflict that is resolved to the agent's text beside a person's", async () => {
    human("f", "human-1", "human-2", "shared", "in the way");
    await repo.commit();
    bash("git cherry-pick feature~ || true");
    repo.write("f", "human-1", "human-2", "shared", "in the way", "ai-1", "unseen");
    // later than it was authored: a pick in the same second could be another commit of the same script
    bash('git add f && GIT_COMMITTER_DATE="@$(($(date +%s) + 1)) +0000" git cherry-pick --continue');
    await repo.settle();
    expect(repo.blame("f")).toBe("KKUKAU");
  });

  test.each([
    ["--abort", "git cherry-pick feature || git cherry-pick --abort"],
    ["--skip", "git cherry-pick feature || git cherry-pick --skip"],
    ["of what is not there", "git cherry-pick nowhere || true"],
  ])("%s leaves what was pending to its owners", async (_title, script) => {
    repo.write("other", "by nobody");
    human("other", "by nobody", "by the human");
    agent("other", ["by nobody", "by the human", "by the agent"]);
    human("f", "human-1", "human-2", "shared", "in the way");
    await repo.commit("f");
    bash(script);
    await repo.commit();
    expect([repo.blame("f"), repo.blame("other")]).toEqual(["KKUK", "UKA"]);
  });
});

describe("revert (S40 a)", () => {
  test("of a deletion brings each line back to its owner, at its new place", async () => {
    repo.write("f", "by nobody");
    human("f", "by nobody", "by the human");
    agent("f", ["by nobody", "by the human", "by the agent"]);
    await repo.commit();
    repo.write("f", "rest");
    bash("git commit -qam cut");
    await repo.settle();
    human("f", "prepended", "rest");
    await repo.commit();
    bash(
      "git revert --no-edit HEAD~ || { printf 'prepended\\nby nobody\\nby the human\\nby the agent\\n' >f; git add f; git revert --continue; }",
    );
    await repo.settle();
    expect(repo.blame("f")).toBe("KUKA");
  });

  test("of several commits at once brings all of them back", async () => {
    agent("f", ["ai-1", "ai-2", "ai-3"]);
    human("g", "human");
    await repo.commit();
    bash(
      "sed -i 1d f && git commit -qam one && sed -i 1d f && git commit -qam two && git rm -q g && git commit -qm three",
    );
    await repo.settle();
    bash("git revert --no-edit HEAD HEAD~ HEAD~2");
    await repo.settle();
    expect([repo.blame("f"), repo.blame("g")]).toEqual(["AAA", "K"]);
  });
});

describe("renames (S40 b)", () => {
  test.each([false, true])(
    "of a committed file, with an agent's line in the same commit: %s",
    async (edited) => {
      repo.write("f", "by nobody", "more by nobody");
      human("f", "by nobody", "more by nobody", "by the human");
      agent("f", ["by nobody", "more by nobody", "by the human", "by the agent"]);
      await repo.commit();
      bash("mkdir d && git mv f d/g");
      if (edited)
        agent("d/g", ["by nobody", "more by nobody", "by the human", "by the agent", "added"], agentB);
      await repo.commit();
      expect(repo.blame("d/g")).toBe(edited ? "UUKAB" : "UUKA");
    },
  );
});

test("a chain rewritten by commit-tree: each note goes to its new commit (S40 c)", async () => {
  repo.write("f", "base");
  await repo.commit();
  bash("git switch -qc ft");
  agent("f", ["base", "one"]);
  await repo.commit();
  human("f", "base", "one", "two");
  await repo.commit();
  bash(
    "first=$(git commit-tree -p main -m reworded ft~^{tree}) && git update-ref refs/heads/ft $(git commit-tree -p $first -m child ft^{tree})",
  );
  await repo.settle();
  expect(repo.blame("f")).toBe("UAK");
  expect([claims("HEAD~"), claims("HEAD")]).toEqual([{ f: 1 }, { f: 1 }]);
});

test.each([
  [
    "prompts only",
    {
      prompts: {
        "0123456789abcdef": {
          agent_id: { tool: "claude", id: "old", model: "m" },
          human_author: "P <p@x>",
          messages: [],
        },
      },
    },
    "0123456789abcdef",
  ],
  [
    "sessions only",
    {
      prompts: {},
      sessions: {
        s_00112233445566: { agent_id: { tool: "claude", id: "new", model: "m" }, human_author: "P <p@x>" },
      },
    },
    "s_00112233445566::t_00112233445566",
  ],
  [
    "humans",
    { prompts: {}, humans: { h_31dce776f88375: { author: "Alice Smith <alice@example.com>" } } },
    "h_31dce776f88375",
  ],
])(
  "notes of other tools with %s survive amend, rebase and stash with the keys that they have (S40 e)",
  async (_title, records, key) => {
    repo.write("f", "base", "noted");
    bash("git add f && git commit -qm noted");
    const metadata = {
      schema_version: "authorship/3.0.0",
      base_commit_sha: repo.git("rev-parse", "HEAD"),
      ...records,
    };
    repo.git("notes", "--ref=ai", "add", "-m", `f\n  ${key} 2\n---\n${JSON.stringify(metadata)}`, "HEAD");
    bash(
      "git commit -q --amend -m again && git switch -qc side HEAD~0 && git commit -q --allow-empty -m side",
    );
    await repo.settle();
    repo.write("g", "by nobody");
    bash("git add g && git stash -q && git stash pop -q && git commit -qm g");
    bash("git commit -q --amend --no-edit --reset-author");
    await repo.settle();
    expect(repo.blame("f")).toBe(key.startsWith("h_") ? "UK" : "UA");
    expect(repo.note("HEAD~2")).toContain(key);
    const { log } = parseAuthorshipLog(Buffer.from(repo.note("HEAD~2")));
    for (const field of ["prompts", "sessions", "humans"] as const)
      expect(Object.keys((log.metadata[field] as object | undefined) ?? {})).toEqual(
        Object.keys((records as Record<string, object>)[field] ?? {}),
      );
  },
);

test("a commit-msg hook that rewrites the subject takes no owner away (S40 h)", async () => {
  bash(
    'printf \'#!/bin/sh\\nsed -i "1s/^/JIRA-1: /" "$1"\\n\' >.git/hooks/commit-msg && chmod +x .git/hooks/commit-msg',
  );
  repo.write("f", "by nobody");
  human("f", "by nobody", "by the human");
  agent("f", ["by nobody", "by the human", "by the agent"]);
  await repo.commit();
  expect(repo.git("log", "-1", "--format=%s")).toBe("JIRA-1: change");
  expect(repo.blame("f")).toBe("UKA");
});

describe("two agents' shell calls at the same time, on different files", () => {
  test("are told apart by when each file was written, and where both could have, nobody is credited", async () => {
    repo.write("f", "base");
    await repo.commit();
    repo.shellBegins("1", agentA);
    repo.write("early", "only A's call was open");
    repo.shellBegins("2", agentB);
    repo.write("both", "both were open");
    human("seen", "saved by a person meanwhile");
    repo.agentEdit("tool", () => repo.write("tool", "by B's edit tool"), agentB);
    repo.shellEnds("1", agentA);
    repo.write("late", "only B's call was open");
    repo.shellEnds("2", agentB);
    await repo.commit();
    expect(["early", "both", "seen", "tool", "late"].map(repo.blame)).toEqual(["A", "U", "K", "B", "B"]);
  });

  test("are told apart by the process that commits", async () => {
    repo.write("f", "base");
    await repo.commit();
    repo.shellBegins("1", agentA);
    repo.shellBegins("2", agentB);
    const elsewhere = spawn("sleep", ["60"], { stdio: "ignore" });
    try {
      // A's call runs in a process that git's hook does not descend from
      const repository = mustFindRepository(repo.folder, nodeObserveDeps);
      const agentProcess = nodeObserveDeps.processTable.identify(elsewhere.pid ?? 0);
      for (const call of pruneAndListShellCalls(repository, nodeObserveDeps))
        if (call.toolUseId === "1")
          writeShellCall(repository, nodeObserveDeps.files, { ...call, agentProcess });
      repo.write("f", "base", "committed by B's call");
      repo.git("commit", "-qam", "by B");
      await settle(openGit(repository, nodeProcesses), nodeObserveDeps, { isCommitHook: true });
      repo.shellEnds("2", agentB);
      repo.shellEnds("1", agentA);
    } finally {
      elsewhere.kill();
    }
    await repo.settle();
    expect(repo.blame("f")).toBe("UB");
  });
});
