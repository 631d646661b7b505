// Covers src/authorship/carry/**.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parseAuthorshipLog } from "../../src/authorship/note/log-codec.ts";
import { settle } from "../../src/authorship/settle/settle.ts";
import { openGit } from "../../src/git/git.ts";
import { mustFindRepository } from "../../src/git/repository.ts";
import { nodeProcesses } from "../../src/system/process/processes.ts";
import {
  type AuthorshipRepo,
  agentA,
  makeAuthorshipRepo,
  nodeObserveDeps,
} from "../support/authorship-repo.ts";

// Git moves content without any hook of ours being run: the next settling finds out by itself where it came from.

let repo: AuthorshipRepo;
beforeEach(async () => {
  repo = makeAuthorshipRepo();
  repo.write("f", "base", "m", "n");
  await repo.commit();
});
afterEach(() => repo.remove());

const gitEnvironment = {
  ...process.env,
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_EDITOR: "true",
};

/** Runs a script whose commits are dated later than the sources', without a wait: git's dates are whole seconds. */
function bash(script: string, secondsLater = 2): string {
  const date = `@${Math.floor(Date.now() / 1000) + secondsLater} +0000`;
  return execFileSync("bash", ["-c", `set -e\n${script}`], {
    cwd: repo.folder,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...gitEnvironment, GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date },
  });
}

type Writer = "A" | "K" | "U";

function write(writer: Writer, path: string, ...lines: string[]): void {
  if (writer === "U") {
    repo.write(path, ...lines);
    return;
  }
  if (writer === "A") {
    repo.agentEdit(path, () => repo.write(path, ...lines), agentA);
    return;
  }
  repo.snapshot(path);
  repo.write(path, ...lines);
  repo.humanSaves(path);
}

async function commitBy(writer: Writer, path: string, ...lines: string[]): Promise<void> {
  write(writer, path, ...lines);
  await repo.commit(path);
}

/** Who wrote the lines of a branch: its first commit has a line of nobody's too. */
interface Writers {
  readonly first: Writer;
  readonly second: Writer;
}

const agentFirst: Writers = { first: "A", second: "K" };

/** A branch `ft` with two commits, and a `main` that went on at the other end of the file. */
async function branch({ first, second }: Writers): Promise<void> {
  bash("git switch -qc ft");
  write(first, "f", "base", "m", "n", "one");
  await commitBy("U", "f", "base", "m", "n", "one", "unseen");
  await commitBy(second, "f", "base", "m", "n", "one", "unseen", "two");
  bash("git switch -q main && sed -i 's/base/top/' f && git commit -qam person", 0);
}

type Scenario = readonly [
  title: string,
  expected: string,
  prepare: (writers: Writers) => Promise<void>,
  script: string,
];

const onBranch: readonly Scenario[] = [
  ["cherry-pick of one commit", "UUUWU", branch, "git cherry-pick ft~"],
  ["cherry-pick of a range", "UUUWUV", branch, "git cherry-pick main..ft"],
  ["cherry-pick -x", "UUUWUV", branch, "git cherry-pick -x main..ft"],
  ["cherry-pick -n", "UUUWUV", branch, "git cherry-pick -n main..ft && git commit -qm picked"],
  [
    "cherry-pick with a conflict",
    "UUUWUU",
    branch,
    "sed -i '$ a three' f && git commit -qam three; git cherry-pick ft~ || { printf 'top\\nm\\nn\\none\\nunseen\\nthree\\n' >f; git commit -qam resolved; }",
  ],
  ["merge --squash", "UUUWUV", branch, "git merge -q --squash ft && git commit -qm squashed"],
  [
    "squash of a rebased branch, made on a server, then pulled",
    "UUUWUV",
    branch,
    "git clone -q . .git/s && (cd .git/s && git config user.name S && git config user.email s@x && git switch -q main && git merge -q --squash origin/ft && git commit -qm 'Squashed (#1)') && git pull -q .git/s main",
  ],
  [
    "rebase merge, made on a server, then pulled",
    "UUUWUV",
    branch,
    "git clone -q . .git/s && (cd .git/s && git config user.name S && git config user.email s@x && git switch -q ft && git rebase -q origin/main) && git pull -q .git/s ft",
  ],
  [
    "rebase with hooks bypassed",
    "UUUWUV",
    branch,
    "git switch -q ft && git -c core.hooksPath=/dev/null rebase -q main",
  ],
  [
    "rebase --quit",
    "UUUWU",
    branch,
    "git switch -q ft && GIT_SEQUENCE_EDITOR='sed -i 1s/pick/edit/' git rebase -q -i main; git rebase --quit",
  ],
  [
    "restack by commit-tree",
    "UUUWUV",
    branch,
    "git switch -q ft && git rebase -q main && t=$(git rev-parse ft^{tree}) && git reset -q --hard ft@{1} && git update-ref refs/heads/ft $(git commit-tree -p main -m restack $t) && git reset -q --hard",
  ],
  [
    "restack by commit-tree that keeps authors",
    "UUUWUV",
    branch,
    'git switch -q ft && t=$(git merge-tree --write-tree main ft) && export GIT_AUTHOR_DATE="$(git show -s --format=%ad --date=raw ft)" && git update-ref refs/heads/ft $(git commit-tree -p main -m restack $t) && git reset -q --hard',
  ],
  [
    "reset --soft and commit",
    "UUUWUV",
    branch,
    "git switch -q ft && git reset -q --soft HEAD~2 && git commit -qm both && git checkout -q main && git cherry-pick ft",
  ],
  [
    "am of a patch from here",
    "UUUWUV",
    branch,
    "git format-patch -q -o .git/p main..ft && git am -q -3 .git/p/*",
  ],
  [
    "apply of a patch from here",
    "UUUWUV",
    branch,
    "git diff main...ft | git apply -3 && git commit -qam applied",
  ],
  [
    "an orphan branch with the same tree",
    "UUUWUV",
    branch,
    "git checkout -q --orphan fresh ft && git commit -qm fresh",
  ],
  [
    "restore from a revision",
    "UUUWUV",
    branch,
    "git switch -q ft && printf 'base\\nm\\nn\\n' >f && git commit -qam cut && git restore --source=HEAD~ f && git commit -qam back",
  ],
  [
    "fast-import of an exported branch",
    "UUUWUV",
    branch,
    "git fast-export ft | sed 's,refs/heads/ft,refs/heads/again,' | sed 's/^data 7$/data 7/' | git fast-import --quiet --force && git commit --amend -qm x 2>/dev/null; git switch -q again",
  ],
  [
    "filter-branch that moves the tree into a directory",
    "UUUWUV",
    branch,
    "git switch -q ft && FILTER_BRANCH_SQUELCH_WARNING=1 git filter-branch -f --index-filter 'git ls-files -s | sed \"s,\\t,&d/,\" | GIT_INDEX_FILE=$GIT_INDEX_FILE.new git update-index --index-info && mv $GIT_INDEX_FILE.new $GIT_INDEX_FILE' ft && git mv d/f f && git commit -qm up",
  ],
  [
    "revert of a revert",
    "UUUWUV",
    branch,
    "git switch -q ft && git revert --no-edit HEAD && git revert --no-edit HEAD",
  ],
  [
    "revert of a deletion",
    "UUUWUV",
    branch,
    "git switch -q ft && git rm -q f && git commit -qm gone && git revert --no-edit HEAD",
  ],
  [
    "revert of a revert with a message of its own",
    "UUUWUV",
    branch,
    "git switch -q ft && git revert --no-edit HEAD && git revert -n HEAD && git commit -qm again",
  ],
];

describe.each<Writers>([agentFirst, { first: "K", second: "A" }])(
  "what $first, nobody and $second wrote keeps its owner without any hook",
  (writers) => {
    const { first: writer, second } = writers;

    test.each(onBranch)("%s", async (_title, expected, prepare, script) => {
      await prepare(writers);
      bash(script);
      await repo.settle();
      expect(repo.blame("f")).toBe(expected.replaceAll("W", writer).replaceAll("V", second));
    });

    test("a stash popped in another worktree", async () => {
      write(writer, "f", "base", "m", "n", "wip");
      write("U", "f", "base", "m", "n", "wip", "unseen");
      write(second, "f", "base", "m", "n", "wip", "unseen", "more");
      bash("git stash -q && git worktree add -q .git/other -b other");
      const other = join(repo.folder, ".git", "other");
      bash("cd .git/other && git stash pop -q && git commit -qam popped");
      const there = openGit(mustFindRepository(other, nodeObserveDeps), nodeProcesses);
      await settle(there, nodeObserveDeps);
      bash("git merge -q other");
      expect(repo.blame("f")).toBe(`UUU${writer}U${second}`);
    });

    test("a stash applied after a commit of the same file", async () => {
      write(writer, "f", "base", "new", "m", "n");
      write("U", "f", "base", "new", "unseen", "m", "n");
      write(second, "f", "base", "new", "unseen", "more", "m", "n");
      bash("git stash -q");
      await commitBy("K", "f", "base", "m", "n", "saved");
      bash("git stash apply -q && printf 'late\\n' >>f && git commit -qam applied");
      await repo.settle();
      expect(repo.blame("f")).toBe(`U${writer}U${second}UUKU`);
    });

    test("a new file renamed before it was committed", async () => {
      write(writer, "new", "one");
      write("U", "new", "one", "unseen");
      write(second, "new", "one", "unseen", "two");
      bash("mv new renamed && git add renamed && git commit -qm renamed");
      await repo.settle();
      expect(repo.blame("renamed")).toBe(`${writer}U${second}`);
      const { readPathHeads } = await import("../../src/journal/heads/head-files.ts");
      const { listEpochs } = await import("../../src/journal/layout.ts");
      const repository = mustFindRepository(repo.folder, nodeObserveDeps);
      const pending = listEpochs(repository, nodeObserveDeps.files).flatMap((epoch) => [
        ...readPathHeads(nodeObserveDeps.files, epoch),
      ]);
      expect(pending.map(({ path }) => path)).not.toContain("new");
    });

    test("a file moved and edited in one commit", async () => {
      write(writer, "g", "one", "two", "three");
      await commitBy("U", "g", "one", "two", "three", "four");
      bash("git mv g h");
      write(second, "h", "one", "two", "three", "four", "five");
      await repo.commit();
      expect(repo.blame("h")).toBe(`${writer.repeat(3)}U${second}`);
    });

    test("a copy of a committed file", async () => {
      write(writer, "g", "one");
      write("U", "g", "one", "unseen");
      await commitBy(second, "g", "one", "unseen", "two");
      bash("cp g copy && git add copy && git commit -qm copy");
      await repo.settle();
      expect(repo.blame("copy")).toBe(`${writer}U${second}`);
    });
  },
);

describe("nothing is carried without evidence", () => {
  test("to a commit that only has a line like it, and more", async () => {
    await branch(agentFirst);
    bash("printf 'one\\nmine\\n' >>f && git commit -qam person");
    await repo.settle();
    expect(repo.blame("f")).toBe("UUUUU");
  });

  // one author's commits of one second, as a script makes them
  const sameSecond =
    "export GIT_AUTHOR_DATE=$(git show -s --format=@%at ft~) GIT_COMMITTER_DATE=$(git show -s --format=@%at ft~)";

  test("to a commit of the same author and second that only has a line like it, and more", async () => {
    await branch(agentFirst);
    bash(`${sameSecond}; printf 'one\nmine\n' >>f && git commit -qam person`);
    await repo.settle();
    expect(repo.blame("f")).toBe("UUUUU");
  });

  test("to a commit of the same author, second and subject on top of the one with the line", async () => {
    await branch(agentFirst);
    bash(`git switch -q ft && ${sameSecond} && sed -i '/one/d' f && git commit -qam change`);
    bash(`${sameSecond}; printf 'one\nmine\n' >>f && git commit -qam change`);
    await repo.settle();
    expect(repo.blame("f")).toBe("UUUUKUU");
  });

  test("to a commit of the same author, second and subject on another branch", async () => {
    await branch(agentFirst);
    bash(`${sameSecond}; printf 'one\nmine\n' >>f && git commit -qam change`);
    await repo.settle();
    expect(repo.blame("f")).toBe("UUUUU");
  });

  test("to what was there before the source was written", async () => {
    bash("git switch -qc ft");
    bash(
      "git switch -q main && printf 'one\\n' >>f && GIT_AUTHOR_DATE=$GIT_COMMITTER_DATE git commit -qam person && git switch -q ft",
      -2,
    );
    await commitBy("A", "f", "base", "m", "n", "one");
    bash("git switch -q main");
    await repo.settle();
    expect(repo.blame("f")).toBe("UUUU");
  });

  test("to commits below a squash on a linear branch", async () => {
    await branch(agentFirst);
    bash("for i in 1 2 3; do echo $i >>g; git add g; git commit -qm mate$i; done");
    bash("git merge -q --squash ft && git commit -qm 'Feature (#1)'");
    await repo.settle();
    for (const commit of ["HEAD~1", "HEAD~2", "HEAD~3"]) expect(repo.note(commit)).toBe("");
    expect(repo.blame("f")).toBe("UUUAUK");
  });

  test("and the note says what was inferred, from where", async () => {
    await branch(agentFirst);
    bash("git cherry-pick -x ft~");
    await repo.settle();
    const source = repo.git("rev-parse", "ft~");
    const { log } = parseAuthorshipLog(Buffer.from(repo.note()));
    expect(log.metadata["keyframe"]).toMatchObject({ inferred: { evidence: "message", from: [source] } });
  });
});

test("a clone that has the notes carries them as well", async () => {
  await branch(agentFirst);
  bash("git merge -q --squash ft && git commit -qm squashed");
  const folder = mkdtempSync(join(tmpdir(), "kf-clone-"));
  try {
    bash(`git clone -q . ${folder}/c && git -C ${folder}/c fetch -q origin refs/notes/ai:refs/notes/ai`);
    bash(`git -C ${folder}/c config user.name C && git -C ${folder}/c config user.email c@x`);
    const there = openGit(mustFindRepository(`${folder}/c`, nodeObserveDeps), nodeProcesses);
    await settle(there, nodeObserveDeps);
    expect(bash(`git -C ${folder}/c notes --ref=ai show HEAD`)).toMatch(
      /^f\n {2}h_\w+ 6\n {2}s_\S+ 4\n---\n/,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
