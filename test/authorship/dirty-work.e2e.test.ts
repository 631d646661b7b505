import { execFileSync } from "node:child_process";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type AuthorshipRepo, agentB, makeAuthorshipRepo } from "../support/authorship-repo.ts";

// What is not committed yet, through reset, stash, checkout and switch: lines of an agent (A), of a known human (K) and of
// nobody (U). The numbers are those of the cases in README.md.

let repo: AuthorshipRepo;
beforeEach(async () => {
  repo = makeAuthorshipRepo();
  repo.write("f", "root", "anchor");
  repo.write("other", "base");
  await repo.commit();
});
afterEach(() => repo.remove());

const env = { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1", GIT_EDITOR: "true" };

function bash(script: string): void {
  execFileSync("bash", ["-c", `set -e\n${script}`], { cwd: repo.folder, env, stdio: "pipe" });
}

function agent(path: string, ...lines: string[]): void {
  repo.agentEdit(path, () => repo.write(path, ...lines));
}

function human(path: string, ...lines: string[]): void {
  repo.snapshot(path);
  repo.write(path, ...lines);
  repo.humanSaves(path);
}

const lineOf = { A: "by the agent", K: "by the human", U: "by nobody" } as const;

/** A line of each class at the end of a file. */
function threeLines(path: string, ...before: string[]): void {
  repo.write(path, ...before, lineOf.U);
  human(path, ...before, lineOf.U, lineOf.K);
  agent(path, ...before, lineOf.U, lineOf.K, lineOf.A);
}

describe("reset (S31)", () => {
  test("--hard throws away what was pending: the same words written afterwards are whose they are then", async () => {
    agent("f", "root", "anchor", "said twice");
    bash("git reset -q --hard");
    human("f", "root", "anchor", "said by a person");
    repo.write("other", "base", "by nobody");
    await repo.commit();
    expect([repo.blame("f"), repo.blame("other")]).toEqual(["UUK", "UU"]);
  });

  test("of a path leaves HEAD and every other file alone", async () => {
    threeLines("f", "root", "anchor");
    threeLines("other", "base");
    bash("git add -A && git reset -q -- f");
    await repo.commitIndex();
    expect([repo.blame("f"), repo.blame("other")]).toEqual(["UU", "UUKA"]);
    await repo.commit();
    expect(repo.blame("f")).toBe("UUUKA");
  });

  test.each(["--mixed", "--keep"])("%s to a descendant keeps what is pending", async (mode) => {
    bash("git switch -qc ahead");
    human("other", "base", "committed ahead");
    await repo.commit("other");
    bash("git switch -q main");
    threeLines("f", "root", "anchor");
    bash(`git reset -q ${mode} ahead`);
    if (mode === "--mixed") bash("git checkout -q -- other");
    await repo.commit();
    expect([repo.blame("f"), repo.blame("other")]).toEqual(["UUUKA", "UK"]);
  });

  test("of staged work that is committed again keeps each class", async () => {
    threeLines("f", "root", "anchor");
    await repo.commit();
    bash("git reset -q --mixed HEAD~");
    await repo.commit();
    expect(repo.blame("f")).toBe("UUUKA");
  });
});

describe("stash (S32)", () => {
  test("applied to another branch at other lines, with more written before and after", async () => {
    agent("f", "root", "AI stashed", "anchor");
    bash("git stash -q && git switch -qc target");
    human("f", "root", "anchor", "target human");
    await repo.commit();
    bash("git stash apply -q");
    repo.write("f", "root", "AI stashed", "anchor", "target human", "late untracked");
    await repo.commit();
    expect(repo.blame("f")).toBe("UAUKU");
  });

  test("of one path of two", async () => {
    threeLines("f", "root", "anchor");
    threeLines("other", "base");
    bash("git stash push -q -- f");
    await repo.commit();
    expect([repo.blame("f"), repo.blame("other")]).toEqual(["UU", "UUKA"]);
    bash("git stash pop -q");
    await repo.commit();
    expect(repo.blame("f")).toBe("UUUKA");
  });

  test.each([
    ["--index", "git stash pop -q --index && git commit -qm staged"],
    ["as one", "git stash pop -q && git commit -qam staged"],
  ])("of what is staged beside what is not, popped %s", async (_title, script) => {
    agent("f", "root", "anchor", lineOf.A);
    bash("git add f");
    human("f", "root", "anchor", lineOf.A, lineOf.K);
    bash(`git stash -q && ${script}; git add -A`);
    await repo.commitIndex("--allow-empty");
    expect(repo.blame("f")).toBe("UUAK");
  });

  test("applied, thrown away and applied again", async () => {
    threeLines("f", "root", "anchor");
    bash("git stash -q && git stash apply -q && git reset -q --hard && git stash apply -q");
    await repo.commit();
    expect(repo.blame("f")).toBe("UUUKA");
  });

  test("made a branch of", async () => {
    threeLines("f", "root", "anchor");
    bash("git stash -q");
    human("f", "root", "anchor", "meanwhile");
    await repo.commit();
    bash("git stash branch -q kept 2>/dev/null || git stash branch kept");
    await repo.commit();
    expect(repo.blame("f")).toBe("UUUKA");
  });

  test("popped with a conflict that a person resolves by hand, keeping both", async () => {
    agent("f", "root", "anchor", lineOf.A);
    bash("git stash -q");
    human("f", "root", "anchor", lineOf.K);
    await repo.commit();
    bash("git stash pop -q || true");
    repo.write("f", "root", "anchor", lineOf.K, lineOf.A, "resolved by nobody");
    await repo.commit();
    expect(repo.blame("f")).toBe("UUKAU");
  });

  test("of new files, with -u, popped beside lines of another session", async () => {
    threeLines("new");
    bash("git stash -q -u");
    repo.agentEdit("other", () => repo.write("other", "base", "by another"), agentB);
    bash("git stash pop -q");
    await repo.commit();
    expect([repo.blame("new"), repo.blame("other")]).toEqual(["UKA", "UB"]);
  });
});

describe("checkout and switch with pending work (S34)", () => {
  test.each([
    "git checkout -q feature",
    "git switch -q feature",
    "git switch -q -m feature",
    "git checkout -q -m feature",
    "git checkout -q -b fresh",
    "git switch -q --detach feature",
  ])("%s takes it along", async (script) => {
    bash("git branch feature");
    threeLines("f", "root", "anchor");
    threeLines("new");
    bash(script);
    await repo.commit();
    expect([repo.blame("f"), repo.blame("new")]).toEqual(["UUUKA", "UKA"]);
  });

  test("-m merges it into what the branch has", async () => {
    bash("git switch -qc feature");
    human("f", "top of a person", "root", "anchor");
    await repo.commit();
    bash("git switch -q main");
    threeLines("f", "root", "anchor");
    bash("git switch -q -m feature");
    await repo.commit();
    expect(repo.blame("f")).toBe("KUUUKA");
  });

  test("of one path drops that path only", async () => {
    threeLines("f", "root", "anchor");
    threeLines("other", "base");
    bash("git checkout -q HEAD -- f");
    human("f", "root", "anchor", "only this");
    await repo.commit();
    expect([repo.blame("f"), repo.blame("other")]).toEqual(["UUK", "UUKA"]);
  });

  test.each(["git checkout -q -f feature", "git switch -q --discard-changes feature"])(
    "%s drops all of it",
    async (script) => {
      bash("git branch feature");
      threeLines("f", "root", "anchor");
      bash(script);
      human("f", "root", "anchor", "only this");
      repo.write("other", "base", "by nobody");
      await repo.commit();
      expect([repo.blame("f"), repo.blame("other")]).toEqual(["UUK", "UU"]);
    },
  );
});
