// Covers src/authorship/edits/**, src/authorship/record/**, src/authorship/settle/**.
import { execFileSync } from "node:child_process";
import { chmodSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ownersByPath } from "../../src/authorship/note/log.ts";
import { parseAuthorshipLog } from "../../src/authorship/note/log-codec.ts";
import { addedRanges } from "../../src/authorship/rules/added-lines.ts";
import { openGit } from "../../src/git/git.ts";
import type { Oid } from "../../src/git/ids.ts";
import { readCommitPatches } from "../../src/git/objects/patch.ts";
import { mustFindRepository } from "../../src/git/repository.ts";
import { nodeMachine } from "../../src/system/machine/machine.ts";
import { nodeProcesses } from "../../src/system/process/processes.ts";
import { type AuthorshipRepo, agentA, agentB, makeAuthorshipRepo } from "../support/authorship-repo.ts";

let repo: AuthorshipRepo;
beforeEach(() => {
  repo = makeAuthorshipRepo();
});
afterEach(async () => {
  await expectNotesInsideCommits(repo);
  repo.remove();
});

/** The law of every note: it names only lines that its commit adds, each once. */
async function expectNotesInsideCommits({ folder, git }: AuthorshipRepo): Promise<void> {
  const commits = git("rev-list", "--all", "--not", "--glob=refs/notes").split("\n").filter(Boolean) as Oid[];
  const bound = openGit(mustFindRepository(folder, nodeMachine), nodeProcesses);
  for await (const patch of readCommitPatches(bound, commits)) {
    const { log, problems } = parseAuthorshipLog(Buffer.from(repo.note(patch.commit)));
    expect(problems).toEqual([]);
    for (const [, { path, runs }] of ownersByPath(log)) {
      const added = addedRanges(patch.files.find((file) => file.newPath === path)?.hunks ?? []);
      for (const run of runs) {
        expect(added.some((range) => range.first <= run.first && run.last <= range.last)).toBe(true);
      }
    }
  }
}

describe("basic attribution", () => {
  test("a new file with a human's line and an agent's lines, in the first commit (S01)", async () => {
    repo.write("t", "Line1", "x", "x");
    repo.humanSaves("t");
    repo.write("t", "Line1", "Line 2", "Line 3");
    repo.agentReports("t");
    await repo.commit();
    expect(repo.blame("t")).toBe("KAA");
    const { log } = parseAuthorshipLog(Buffer.from(repo.note()));
    expect(log.files).toHaveLength(1);
    expect(Object.keys(log.metadata["sessions"] as object)).toHaveLength(1);
    expect(Object.keys(log.metadata["humans"] as object)).toHaveLength(1);
  });

  test("appending after a last line without newline takes that line, with newline it does not (S02)", async () => {
    repo.writeBytes("t", "Base line 1\nBase line 2");
    repo.writeBytes("u", "Base line 1\nBase line 2\n");
    repo.humanSaves("t");
    repo.humanSaves("u");
    await repo.commit();
    expect(repo.blame("t")).toBe("KK");
    repo.writeBytes("t", "Base line 1\nBase line 2\nNEW\nHello\nWorld");
    repo.writeBytes("u", "Base line 1\nBase line 2\nNEW\nHello\nWorld");
    repo.agentReports("t");
    repo.agentReports("u");
    await repo.commit();
    expect(repo.blame("t")).toBe("KAAAA");
    expect(repo.blame("u")).toBe("KKAAA");
  });

  test("five edits by nobody, a human and an agent: each line belongs to its writer (S04)", async () => {
    repo.write("e", "Untracked line");
    await repo.commit();
    expect(repo.blame("e")).toBe("U");
    repo.write("e", "Untracked line", "Human line");
    repo.humanSaves("e");
    await repo.commit();
    expect(repo.blame("e")).toBe("UK");
    repo.write("e", "Untracked line", "Human line", "AI line");
    repo.agentReports("e");
    await repo.commit();
    expect(repo.blame("e")).toBe("UKA");
    repo.write("e", "Untracked line", "Human line", "AI line", "Another untracked line");
    repo.agentEdit("e", () =>
      repo.write("e", "Untracked line", "Human line", "AI line", "Another untracked line", "Another AI line"),
    );
    await repo.commit();
    expect(repo.blame("e")).toBe("UKAUA");
  });

  test("one file staged in part and committed in two commits (S05)", async () => {
    repo.write("e", "test");
    repo.agentReports("e");
    repo.git("add", "e");
    repo.write("e", "test", "test1");
    repo.agentReports("e");
    await repo.commitIndex();
    expect(repo.blame("e")).toBe("A");
    await repo.commit();
    expect(repo.blame("e")).toBe("AA");
    expect(repo.note("HEAD")).toContain(" 2\n");
    expect(repo.note("HEAD~")).toContain(" 1\n");
  });

  test("a staged line that the agent then changed again is still the agent's", async () => {
    repo.write("e", "version one");
    repo.agentReports("e");
    repo.git("add", "e");
    repo.write("e", "version two");
    repo.agentReports("e");
    await repo.commitIndex();
    expect(repo.blame("e")).toBe("A");
    await repo.commit();
    expect(repo.blame("e")).toBe("A");
  });

  test("a hunk that nobody was seen writing, committed before the agent's (S07)", async () => {
    const verse = ["# one", "a", "# two", "b", "# three", "c"];
    repo.write("v", ...verse);
    await repo.commit();
    const headed = ["# ONE!", "a", "# TWO!", "b", "# THREE!", "c"];
    repo.agentEdit("v", () => repo.write("v", ...headed));
    repo.write("v", "top 1", "top 2", "top 3", ...headed);
    const patch = "diff --git a/v b/v\n--- a/v\n+++ b/v\n@@ -0,0 +1,3 @@\n+top 1\n+top 2\n+top 3\n";
    execFileSync("git", ["apply", "--cached", "--unidiff-zero", "-"], { cwd: repo.folder, input: patch });
    await repo.commitIndex();
    expect(repo.note()).toBe("");
    await repo.commit();
    expect(repo.blame("v")).toBe("UUUAUAUAU");
  });

  test("several files of one session committed one by one (S08)", async () => {
    for (const name of ["a.txt", "b.txt"]) repo.agentEdit(name, () => repo.write(name, "1", "2", "3"));
    await repo.commit("a.txt");
    await repo.commit("b.txt");
    expect([repo.blame("a.txt"), repo.blame("b.txt")]).toEqual(["AAA", "AAA"]);
    for (const name of ["a.txt", "b.txt"]) repo.agentEdit(name, () => repo.write(name, "1", "two", "3"));
    await repo.commit("a.txt");
    await repo.commit("b.txt");
    expect([repo.blame("a.txt"), repo.blame("b.txt")]).toEqual(["AAA", "AAA"]);
  });

  test("an agent deletes its own line next to human lines (S10)", async () => {
    repo.write("f", "B1", "B2", "B3");
    repo.humanSaves("f");
    repo.agentEdit("f", () => repo.write("f", "B1", "B2", "AI1", "AI2", "AI3", "B3"));
    await repo.commit();
    repo.write("f", "B1", "B2", "AI1", "AI2", "AI3", "H1", "H2", "B3");
    repo.humanSaves("f");
    repo.agentEdit("f", () => repo.write("f", "B1", "B2", "AI1", "AI3", "H1", "H2", "N1", "N2", "B3"));
    await repo.commit();
    expect(repo.blame("f")).toBe("KKAAKKAAK");
  });

  test("a deletion inside one line makes that line the agent's (S11)", async () => {
    repo.write("f", "f(a)", "g(x, y)", "h()");
    repo.humanSaves("f");
    await repo.commit();
    repo.agentEdit("f", () => repo.write("f", "f(a)", "g(x)", "h()"));
    await repo.commit();
    expect(repo.blame("f")).toBe("KAK");
  });

  test("a file that a human rewrote completely before the commit has no session in its note (S13)", async () => {
    repo.agentEdit("f", () => repo.write("f", "alpha", "beta", "gamma"));
    repo.write("f", "mine one", "mine two");
    repo.humanSaves("f");
    await repo.commit();
    expect(repo.blame("f")).toBe("KK");
    expect(repo.note()).not.toContain('"sessions": {\n    "s_');
  });

  test.each(["my file.txt", "日本語.txt", "emoji 🎉.md", "dir/école.txt", 'quo"te.txt', "tab\there"])(
    "a file named %s (S14)",
    async (name) => {
      repo.agentEdit(name, () => repo.write(name, "one"));
      await repo.commit();
      expect(repo.blame(name)).toBe("A");
    },
  );

  test("an agent's range does not spread to lines that a human added before or after (S16)", async () => {
    repo.agentEdit("a", () => repo.write("a", "ai"));
    repo.write("a", "ai", "h1", "h2", "h3", "h4");
    repo.humanSaves("a");
    repo.write("b", "h1", "h2", "h3", "h4");
    repo.humanSaves("b");
    repo.agentEdit("b", () => repo.write("b", "ai", "h1", "h2", "h3", "h4"));
    await repo.commit();
    expect([repo.blame("a"), repo.blame("b")]).toEqual(["AKKKK", "AKKKK"]);
  });

  test("two agents in one file keep their own lines", async () => {
    repo.agentEdit("f", () => repo.write("f", "a1", "a2"), agentA);
    repo.agentEdit("f", () => repo.write("f", "a1", "b1", "a2"), agentB);
    await repo.commit();
    expect(repo.blame("f")).toBe("ABA");
  });
});

describe("formatting", () => {
  test("an agent joins two lines, or splits one into five (S17)", async () => {
    repo.write("f", "a b", "c", "rest");
    repo.write("g", "call(a, b, c)", "rest");
    await repo.commit();
    repo.agentEdit("f", () => repo.write("f", "a b c", "rest"));
    repo.agentEdit("g", () => repo.write("g", "call(", "  a,", "  b,", "  c", ")", "rest"));
    await repo.commit();
    expect([repo.blame("f"), repo.blame("g")]).toEqual(["AU", "AAAAAU"]);
  });

  test("an agent wraps human lines: the closing line stays the human's (S19)", async () => {
    repo.write("f", "if (ready) {", "  do_work();", "}");
    repo.humanSaves("f");
    await repo.commit();
    repo.agentEdit("f", () => repo.write("f", "fn run() {", "  if (ready) {", "    do_work();", "  }", "}"));
    await repo.commit();
    expect(repo.blame("f")).toBe("AAAAK");
  });

  test("a human renames one identifier in an agent's block (S20)", async () => {
    repo.agentEdit("f", () => repo.write("f", "one()", "two()", "three(x)", "four()", "five()"));
    await repo.commit();
    repo.write("f", "one()", "two()", "three(y)", "four()", "five()");
    repo.humanSaves("f");
    await repo.commit();
    expect(repo.blame("f")).toBe("AAKAA");
  });

  test("a formatter that runs between the last snapshot and the commit keeps the owners", async () => {
    repo.agentEdit("f", () => repo.write("f", "f(a,b)", "if(x){y()}"));
    repo.write("f", "f(a, b)", "if (x) {", "  y()", "}");
    await repo.commit();
    expect(repo.blame("f")).toBe("AAAA");
  });

  test("converting line ends is nobody's edit", async () => {
    repo.agentEdit("f", () => repo.writeBytes("f", "one\ntwo\n"));
    repo.writeBytes("f", "one\r\ntwo\r\nthree\r\n");
    await repo.commit();
    expect(repo.blame("f")).toBe("AAU");
  });
});

describe("what is not committed yet", () => {
  const lines = (from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, at) => `line ${from + at}`);

  test("lines written after the last snapshot are nobody's, whatever they stand beside (S22)", async () => {
    repo.agentEdit("f", () => repo.write("f", ...lines(1, 10)));
    repo.git("add", "f");
    repo.agentEdit("f", () => repo.write("f", ...lines(1, 15)));
    repo.write("f", ...lines(1, 20));
    await repo.commitIndex();
    expect(repo.blame("f")).toBe("A".repeat(10));
    await repo.commit();
    expect(repo.blame("f")).toBe("A".repeat(15) + "U".repeat(5));
  });

  test("a note describes the commit, not what was written into the work tree after it (S23)", async () => {
    repo.write("f", "base");
    await repo.commit();
    repo.agentEdit("f", () => repo.write("f", "base", "ai"));
    repo.git("commit", "-qam", "two");
    repo.write("f", "base", "overwritten");
    await repo.settle();
    expect(repo.blame("f")).toBe("UA");
  });

  test("a commit that no hook saw settles as it would have, though the agent went on (bypassed hooks)", async () => {
    repo.agentEdit("f", () => repo.write("f", "one"));
    repo.git("add", "f");
    repo.git("commit", "-q", "--no-verify", "-m", "one");
    repo.agentEdit("f", () => repo.write("f", "ONE", "two"), agentB);
    repo.git("commit", "-qam", "two");
    repo.agentEdit("f", () => repo.write("f", "ONE", "two", "three"));
    await repo.settle();
    expect(repo.note("HEAD~")).toContain("f\n  s_");
    expect(repo.blame("f")).toBe("BB");
    await repo.commit();
    expect(repo.blame("f")).toBe("BBA");
  });

  test("plumbing commits settle at the next command", async () => {
    repo.write("f", "base");
    await repo.commit();
    repo.agentEdit("f", () => repo.write("f", "base", "ai"));
    repo.git("add", "f");
    const tree = repo.git("write-tree");
    const commit = repo.git("commit-tree", "-p", "HEAD", "-m", "plumbing", tree);
    repo.git("update-ref", "HEAD", commit);
    await repo.settle();
    expect(repo.blame("f")).toBe("UA");
  });

  test("a hundred commits that no hook saw get a hundred notes, each with its own line", async () => {
    const lines: string[] = [];
    for (let index = 0; index < 100; index += 1) {
      lines.push(`line ${index}`);
      repo.agentEdit("f", () => repo.write("f", ...lines), index % 2 === 0 ? agentA : agentB);
      repo.git("add", "f");
      repo.git("commit", "-qm", `commit ${index}`);
    }
    const { settled } = await repo.settle();
    expect(settled).toEqual(repo.git("rev-list", "--reverse", "HEAD").split("\n"));
    expect(repo.blame("f")).toBe("AB".repeat(50));
  });

  test("settling twice changes nothing, and one note stands for each commit", async () => {
    repo.agentEdit("f", () => repo.write("f", "one"));
    await repo.commit();
    const before = repo.git("rev-parse", "refs/notes/ai");
    await repo.settle();
    await repo.settle();
    expect(repo.git("rev-parse", "refs/notes/ai")).toBe(before);
  });

  test("switching the branch takes pending work along", async () => {
    repo.write("f", "base");
    await repo.commit();
    repo.git("branch", "feature");
    repo.agentEdit("g", () => repo.write("g", "ai"));
    repo.git("checkout", "-q", "feature");
    repo.agentEdit("h", () => repo.write("h", "ai"));
    await repo.commit();
    expect([repo.blame("g"), repo.blame("h")]).toEqual(["A", "A"]);
  });
});

describe("encodings and kinds of files", () => {
  test("files in other encodings are attributed too, beside UTF-8 ones (S25)", async () => {
    const gbk = Buffer.from([0xc4, 0xe3, 0xba, 0xc3, 0x0a]);
    const latin = Buffer.from("caf\xe9\n", "latin1");
    repo.writeBytes("gbk.txt", gbk);
    repo.writeBytes("latin.txt", latin);
    await repo.commit();
    repo.agentEdit("gbk.txt", () =>
      repo.writeBytes("gbk.txt", Buffer.concat([gbk, gbk, Buffer.from([0xca, 0xc0, 0x0a])])),
    );
    repo.agentEdit("latin.txt", () =>
      repo.writeBytes("latin.txt", Buffer.concat([latin, Buffer.from("na\xefve\n", "latin1")])),
    );
    repo.agentEdit("nul.bin", () => repo.writeBytes("nul.bin", Buffer.from([0, 1, 2, 10, 0])));
    repo.agentEdit("utf8.txt", () => repo.write("utf8.txt", "héllo"));
    await repo.commit();
    expect(repo.blame("latin.txt")).toBe("UA");
    expect(repo.blame("gbk.txt")).toBe("UAA");
    expect(repo.blame("utf8.txt")).toBe("A");
    expect(() => parseAuthorshipLog(Buffer.from(repo.note()))).not.toThrow();
  });

  test("a save that an editor reports in the middle of an agent's edit is the agent's (S26)", async () => {
    repo.write("f", "base");
    repo.write("g", "base");
    await repo.commit();
    repo.agentBegins("f");
    repo.write("f", "base", "ai");
    repo.write("g", "base", "mine");
    repo.humanSaves("f");
    repo.humanSaves("g");
    repo.agentReports("f");
    repo.write("f", "base", "ai", "after");
    repo.humanSaves("f");
    await repo.commit();
    expect([repo.blame("f"), repo.blame("g")]).toEqual(["UAK", "UK"]);
  });

  test("a renamed file keeps its owners, and a line added in the same commit has its own", async () => {
    repo.agentEdit("old", () => repo.write("old", "a", "b", "c", "d", "e", "f"));
    await repo.commit();
    repo.git("mv", "old", "new");
    repo.agentEdit("new", () => repo.write("new", "a", "b", "c", "d", "e", "f", "g"), agentB);
    await repo.commit();
    expect(repo.blame("new")).toBe("AAAAAAB");
  });

  test("deletions, mode changes and symlinks are recorded and break nothing", async () => {
    repo.write("gone", "x");
    repo.write("tool", "x");
    await repo.commit();
    repo.shellBegins("1");
    rmSync(repo.path("gone"));
    chmodSync(repo.path("tool"), 0o755);
    symlinkSync("tool", repo.path("link"));
    const outcome = repo.shellEnds("1");
    expect(outcome.problems).toEqual([]);
    expect(outcome.credited).toBe(3);
    await repo.commit();
    expect(repo.blame("tool")).toBe("U");
    expect(repo.blame("link")).toBe("A");
  });
});

describe("shell calls", () => {
  test("do not swallow what was typed before them (S28)", async () => {
    repo.write("f", "base");
    await repo.commit();
    repo.write("f", "base", "dirty");
    repo.shellBegins("1");
    repo.write("f", "base", "dirty", "ai");
    repo.shellEnds("1");
    await repo.commit();
    expect(repo.blame("f")).toBe("UUA");
  });

  test("are credited with new, changed and formatted files, and with nothing that they left alone", async () => {
    repo.write("clean", "a", "b");
    repo.write("other", "x");
    await repo.commit();
    repo.write("mine", "typed by hand");
    repo.shellBegins("1");
    repo.write("clean", "a", "B");
    repo.write("fresh", "new");
    repo.shellEnds("1");
    await repo.commit();
    expect(["clean", "other", "mine", "fresh"].map(repo.blame)).toEqual(["UA", "U", "U", "A"]);
  });

  test("of two agents at once claim nothing that both could have written, and keep what only one could", async () => {
    repo.write("f", "base");
    await repo.commit();
    repo.shellBegins("1", agentA);
    repo.write("a", "only A was open");
    repo.shellBegins("2", agentB);
    repo.write("ab", "both were open");
    repo.shellEnds("1", agentA);
    repo.write("b", "only B was open");
    repo.shellEnds("2", agentB);
    await repo.commit();
    expect(["a", "ab", "b"].map(repo.blame)).toEqual(["A", "U", "B"]);
  });

  test("do not steal what an edit tool of another agent wrote meanwhile", async () => {
    repo.shellBegins("1", agentA);
    repo.agentEdit("f", () => repo.write("f", "by B's tool"), agentB);
    repo.write("g", "by A's shell");
    repo.shellEnds("1", agentA);
    await repo.commit();
    expect([repo.blame("f"), repo.blame("g")]).toEqual(["B", "A"]);
  });

  test("rename a file with its owners", async () => {
    repo.agentEdit("from", () => repo.write("from", "one", "two", "three", "four"), agentB);
    repo.shellBegins("1", agentA);
    renameSync(repo.path("from"), repo.path("to"));
    repo.shellEnds("1", agentA);
    await repo.commit();
    expect(repo.blame("to")).toBe("BBBB");
  });

  test("that commit what they wrote are credited, in the hook and without it", async () => {
    repo.write("f", "base");
    await repo.commit();
    repo.shellBegins("1");
    repo.write("f", "base", "ai");
    repo.write("g", "new");
    await repo.commit(); // the hook runs below this process, as it does below the agent's
    repo.shellEnds("1");
    expect([repo.blame("f"), repo.blame("g")]).toEqual(["UA", "A"]);
    repo.shellBegins("2");
    repo.write("h", "new too");
    repo.git("add", "h");
    repo.git("commit", "-q", "--no-verify", "-m", "bypassed");
    const outcome = repo.shellEnds("2");
    expect(outcome.wantsSettle).toBe(true);
    await repo.settle();
    expect(repo.blame("h")).toBe("A");
  });

  test("that merge or pick older commits do not own them", async () => {
    repo.write("f", "base");
    await repo.commit();
    repo.git("checkout", "-qb", "side");
    repo.write("side", "by a person, earlier");
    repo.git("add", "-A");
    execFileSync("git", ["commit", "-qm", "side"], {
      cwd: repo.folder,
      env: { ...process.env, GIT_AUTHOR_DATE: "2020-01-01T00:00:00Z" },
    });
    repo.git("checkout", "-q", "main");
    repo.shellBegins("1");
    repo.git("cherry-pick", "side");
    await repo.settle();
    repo.shellEnds("1");
    await repo.settle();
    expect(repo.blame("side")).toBe("U");
  });
});

describe("amend", () => {
  test("keeps the owners of the amended commit and adds the new ones (S29)", async () => {
    repo.write("f", "1", "2");
    repo.humanSaves("f");
    await repo.commit();
    repo.agentEdit("f", () => repo.write("f", "1", "a", "b", "2"));
    repo.git("add", "f");
    await repo.commitIndex("--amend");
    expect(repo.blame("f")).toBe("KAAK");
    repo.agentEdit("f", () => repo.write("f", "1", "a", "b", "2", "c"), agentB);
    repo.git("add", "f");
    await repo.commitIndex("--amend");
    expect(repo.blame("f")).toBe("KAAKB");
  });

  test("leaves what was not staged for the next commit", async () => {
    repo.write("f", "1");
    await repo.commit();
    repo.agentEdit("f", () => repo.write("f", "1", "ai"));
    await repo.commitIndex("--amend");
    expect(repo.blame("f")).toBe("U");
    await repo.commit();
    expect(repo.blame("f")).toBe("UA");
  });

  test("of one file leaves the pending lines of another", async () => {
    repo.agentEdit("a", () => repo.write("a", "one"));
    await repo.commit();
    repo.agentEdit("b", () => repo.write("b", "1", "2", "3"));
    repo.agentEdit("a", () => repo.write("a", "one", "two"));
    repo.git("add", "a");
    await repo.commitIndex("--amend");
    expect(repo.blame("a")).toBe("AA");
    await repo.commit();
    expect(repo.blame("b")).toBe("AAA");
  });

  test("that deletes the only agent line leaves no session in the note", async () => {
    repo.agentEdit("f", () => repo.write("f", "ai"));
    await repo.commit();
    repo.write("f", "mine");
    repo.humanSaves("f");
    repo.git("add", "f");
    await repo.commitIndex("--amend");
    expect(repo.blame("f")).toBe("K");
    expect(repo.note()).not.toContain('"sessions"');
  });

  test("of the message alone, with hooks or without, keeps the note", async () => {
    repo.agentEdit("f", () => repo.write("f", "ai"));
    await repo.commit();
    await repo.settle();
    repo.git("commit", "-q", "--amend", "--no-verify", "-m", "better words");
    await repo.settle();
    expect(repo.blame("f")).toBe("A");
  });

  test("keeps custom attributes of the amended note", async () => {
    repo.agentEdit("f", () => repo.write("f", "ai"));
    await repo.commit();
    const noted = repo
      .note()
      .replace('"human_author"', '"custom_attributes": { "team": "payments" },\n      "human_author"');
    repo.git("notes", "--ref=ai", "add", "-f", "-m", noted, "HEAD");
    await repo.settle();
    repo.git("commit", "-q", "--amend", "-m", "again");
    await repo.settle();
    expect(repo.note()).toContain('"team": "payments"');
  });

  test("after a soft reset, the new commit has the owners of the undone one and of what came after", async () => {
    repo.write("base", "x");
    await repo.commit();
    repo.agentEdit("f", () => repo.write("f", "one"));
    await repo.commit();
    repo.agentEdit("f", () => repo.write("f", "one", "two"), agentB);
    repo.git("reset", "-q", "--soft", "HEAD~");
    await repo.commit();
    expect(repo.blame("f")).toBe("AB");
  });
});

describe("other tools", () => {
  test("what another tool noted about a commit stays, line by line, with its unknown fields", async () => {
    repo.agentEdit("f", () => repo.write("f", "ours"));
    repo.write("g", "theirs");
    repo.git("add", "-A");
    repo.git("commit", "-qm", "one");
    const theirs =
      'g\n  h_31dce776f88375 1\n---\n{"schema_version":"authorship/3.0.0","prompts":{},"humans":{"h_31dce776f88375":{"author":"Alice Smith <alice@example.com>"}},"logical_commit_id":"x"}';
    repo.git("notes", "--ref=ai", "add", "-m", theirs, "HEAD");
    await repo.settle();
    expect([repo.blame("f"), repo.blame("g")]).toEqual(["A", "K"]);
    expect(repo.note()).toContain('"logical_commit_id": "x"');
  });

  test("the notes commit has the user's identity and a message", async () => {
    repo.agentEdit("f", () => repo.write("f", "ours"));
    await repo.commit();
    expect(repo.git("log", "-1", "--format=%an <%ae> %s", "refs/notes/ai")).toMatch(
      /^Test User <test@example.com> Note who wrote the lines of [0-9a-f]{12}$/,
    );
  });
});

describe("merges", () => {
  test("an agent's resolution of a conflict is the agent's, and merged lines stay with their commits", async () => {
    repo.write("f", "base");
    await repo.commit();
    repo.git("checkout", "-qb", "side");
    repo.agentEdit("f", () => repo.write("f", "side"), agentB);
    await repo.commit();
    repo.git("checkout", "-q", "main");
    repo.write("f", "main");
    await repo.commit();
    expect(() => repo.git("merge", "-q", "side")).toThrow();
    repo.agentEdit("f", () => repo.write("f", "resolved by A", "side"));
    await repo.commit();
    expect(repo.blame("f")[0]).toBe("A");
  });
});

describe("places", () => {
  test("a file of a linked worktree goes to that worktree's journal, even one nested in the main tree", async () => {
    repo.write("f", "base");
    await repo.commit();
    repo.git("worktree", "add", "-q", "nested", "-b", "nested");
    repo.agentEdit("nested/g", () => repo.write("nested/g", "ai"));
    execFileSync("git", ["add", "g"], { cwd: join(repo.folder, "nested") });
    execFileSync("git", ["commit", "-qm", "in the worktree"], { cwd: join(repo.folder, "nested") });
    const { settle } = await import("../../src/authorship/settle/settle.ts");
    const { nodeObserveDeps } = await import("../support/authorship-repo.ts");
    const bound = openGit(mustFindRepository(join(repo.folder, "nested"), nodeMachine), nodeProcesses);
    expect((await settle(bound, nodeObserveDeps)).settled).toHaveLength(1);
    expect(repo.note("nested")).toContain("g\n  s_");
  });

  test("of many untracked files a shell call gets what it changed in any of them, and no more", async () => {
    repo.write("base", "1");
    await repo.commit();
    const name = (index: number) => `many/${String(index).padStart(4, "0")}`;
    for (let index = 0; index < 700; index += 1) repo.write(name(index), "by nobody", `line ${index}`);
    repo.shellBegins("one");
    repo.write(name(650), "by nobody", "line 650", "by the agent");
    renameSync(repo.path(name(651)), repo.path("moved"));
    repo.shellEnds("one");
    repo.write(name(652), "by nobody", "line 652", "by a person meanwhile");
    repo.shellBegins("two");
    repo.write(name(652), "by nobody", "line 652", "by a person meanwhile", "by the agent");
    repo.shellEnds("two");
    await repo.commit();
    expect([name(650), "moved", name(652), name(653)].map(repo.blame)).toEqual(["UUA", "UU", "UUUA", "UU"]);
  });

  test.each([
    ["UTF-16", (text: string) => Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(text, "utf16le")])],
    ["UTF-16LE", (text: string) => Buffer.from(text, "utf16le")],
    ["ISO-8859-1", (text: string) => Buffer.from(text, "latin1")],
  ])(
    "a file that attributes keep as %s has owners by the text that is committed",
    async (encoding, bytes) => {
      repo.write("deep/.gitattributes", `*.txt text working-tree-encoding=${encoding}`);
      repo.writeBytes("deep/t.txt", bytes("one\ntwo é\n"));
      await repo.commit();
      repo.agentEdit("deep/t.txt", () => repo.writeBytes("deep/t.txt", bytes("one\ntwo é\nthree ü\n")));
      repo.shellBegins("s", agentB);
      repo.writeBytes("deep/t.txt", bytes("zero\none\ntwo é\nthree ü\n"));
      repo.shellEnds("s", agentB);
      repo.writeBytes("deep/t.txt", bytes("zero\none\ntwo é\nthree ü\nfour\n"));
      repo.humanSaves("deep/t.txt");
      await repo.commit();
      expect(repo.blame("deep/t.txt")).toBe("BUUAK");
    },
  );

  test("names with a newline, with bytes that are not UTF-8, and with a replacement character", async () => {
    repo.write("plain", "1");
    await repo.commit();
    const raw = Buffer.concat([Buffer.from(`${repo.folder}/caf`), Buffer.from([0xe9]), Buffer.from(".txt")]);
    const other = Buffer.concat([
      Buffer.from(`${repo.folder}/caf`),
      Buffer.from([0xe8]),
      Buffer.from(".txt"),
    ]);
    for (const path of [raw, other]) writeFileSync(path, "by nobody\n");
    repo.write("new\nline", "by nobody");
    repo.write("odd \ufffd", "by nobody");
    repo.git("add", "-A");
    await repo.commitIndex();
    repo.shellBegins("s");
    writeFileSync(raw, "by nobody\nby the agent\n");
    repo.write("new\nline", "by the agent", "by nobody");
    repo.write("odd \ufffd", "by nobody", "by the agent");
    expect(repo.shellEnds("s").problems).toEqual([]);
    writeFileSync(other, "by nobody\nby nobody again\n");
    await repo.commit();
    const { log, problems } = parseAuthorshipLog(Buffer.from(repo.note()));
    expect(problems).toEqual([]);
    const lines = new Map(
      [...ownersByPath(log)].map(([path, { runs }]) => [path, runs.map(({ first }) => first)]),
    );
    expect(lines).toEqual(
      new Map([
        ["caf\udce9.txt", [2]],
        ["new\nline", [1]],
        ["odd \ufffd", [2]],
      ]),
    );
    expect([repo.blame("new\nline"), repo.blame("odd \ufffd")]).toEqual(["AU", "UA"]);
  });

  test("files behind a symlinked directory, and behind a symlink, are recorded where git has them", async () => {
    repo.write("real/f", "1");
    symlinkSync("real", repo.path("linked"));
    symlinkSync("real/g", repo.path("file-link"));
    repo.write("real/g", "1");
    await repo.commit();
    repo.agentEdit("linked/f", () => repo.write("linked/f", "1", "through the link"));
    repo.agentEdit("linked/deep/new", () => repo.write("linked/deep/new", "1"));
    repo.agentEdit("file-link", () => repo.write("file-link", "1", "through the link"));
    await repo.commit();
    expect([repo.blame("real/f"), repo.blame("real/deep/new"), repo.blame("real/g")]).toEqual([
      "UA",
      "A",
      "UA",
    ]);
    const far = join(repo.folder, "..", `${repo.folder.split("/").at(-1)}-link`);
    symlinkSync(repo.folder, far);
    try {
      repo.agentEdit(`../${far.split("/").at(-1)}/real/f`, () =>
        repo.write("real/f", "1", "through the link", "through a link to the tree"),
      );
    } finally {
      rmSync(far);
    }
    await repo.commit();
    expect(repo.blame("real/f")).toBe("UAA");
  });

  test("paths that leave the repository, through a symlink too, or lie in .git are refused with a reason", () => {
    symlinkSync("..", repo.path("linked"));
    const refused = (path: string) => repo.agentReports(path).problems.join();
    expect(refused("linked/f")).toMatch(/symlink/);
    expect(refused(".git/config")).toMatch(/git directory/);
    const other = makeAuthorshipRepo();
    try {
      const outcome = repo.agentReports(join("..", other.folder.split("/").at(-1) ?? "", "f"));
      expect(outcome.problems.join()).toMatch(/another repository/);
    } finally {
      other.remove();
    }
    expect(repo.agentReports("../outside-of-everything").problems).toEqual([]);
    const problems = readFileSync(repo.path(".git/keyframe/journal/problems.jsonl"), "utf8");
    expect(problems.trim().split("\n")).toHaveLength(3);
  });
});

describe("a patch that moves a file", () => {
  const lines = ["one", "two", "three", "four"];

  test.each([
    ["and changes a line of it", ["one", "two changed", "three", "four"], "KAKK"],
    ["and nothing else", lines, "KKKK"],
    ["and writes it anew", ["a", "b", "c", "d"], "AAAA"],
  ])("%s: lines that only moved keep their owners", async (_, moved, owners) => {
    repo.write("was", ...lines);
    repo.humanSaves("was");
    await repo.commit();
    repo.agentPatch(["was", "now"], () => {
      rmSync(repo.path("was"));
      repo.write("now", ...moved);
    });
    await repo.commit();
    expect(repo.blame("now")).toBe(owners);
  });

  test("of which nobody knows the owners: its lines stay nobody's", async () => {
    repo.write("was", "one", "two");
    await repo.commit();
    repo.agentPatch(["was", "now"], () => {
      rmSync(repo.path("was"));
      repo.write("now", "one", "two changed");
    });
    await repo.commit();
    expect(repo.blame("now")).toBe("UA");
  });
});
