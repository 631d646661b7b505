import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { findNewCommits } from "../../src/authorship/carry/new-commits.ts";
import { parseTips, tipsArguments, workBranches, workRemoteBranches } from "../../src/git/refs/tips.ts";
import { nodeFiles } from "../../src/system/files/files.ts";
import { type CheckpointRepository, makeCheckpointRepository } from "../support/checkpoint-repository.ts";

const work = [
  "refs/heads/main",
  "refs/heads/entirely",
  "refs/heads/feature/entire",
  "refs/remotes/origin/main",
  "refs/remotes/team/x/entire",
  "refs/remotes/origin/ann/entire/parser",
];
const records = [
  "refs/heads/entire/checkpoints/v1",
  "refs/heads/entire/sessions",
  "refs/heads/entire/1a2b3c4",
  "refs/remotes/origin/entire/checkpoints/v1",
  "refs/remotes/origin/entire/sessions",
  "refs/remotes/team/fork/entire/checkpoints/v1",
];

describe("branches that hold records of tools", () => {
  let repository: CheckpointRepository;
  let commits: Map<string, string>;
  beforeEach(() => {
    repository = makeCheckpointRepository();
    const { sh } = repository;
    const tree = sh("mktree");
    commits = new Map();
    for (const ref of [...work, ...records]) {
      const commit = sh("commit-tree", tree, "-m", ref);
      sh("update-ref", ref, commit);
      commits.set(ref, commit);
    }
    sh("symbolic-ref", "HEAD", "refs/heads/main");
  });
  afterEach(() => repository.remove());

  const refsOf = (oids: readonly string[]) =>
    new Set(oids.map((oid) => [...commits].find(([, commit]) => commit === oid)?.[0]));

  test("are no tips of work", async () => {
    const { git } = repository;
    expect(refsOf(parseTips(await git.text(tipsArguments())))).toEqual(new Set(work));
    expect(refsOf(parseTips(await git.text(tipsArguments(100, "refs/stash"))))).toEqual(new Set(work));
  });

  test("are not walked", async () => {
    const all = await repository.git.text(["rev-list", ...workBranches, ...workRemoteBranches]);
    expect(refsOf(all.split("\n"))).toEqual(new Set(work));
  });

  test("have no commits in which owners are looked for", async () => {
    const { commits: found } = await findNewCommits(repository.git, nodeFiles);
    expect(refsOf(found)).toEqual(new Set(work));
  });
});
