// Covers src/authorship/blame/**, src/authorship/diff/**, src/cli/blame/**, src/cli/diff/**,
// src/cli/log/**, src/cli/show/**, src/cli/human/**.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestRepository, noteText, type TestRepository } from "../support/test-repository.ts";

let repository: TestRepository;
const ids: string[] = [];

beforeAll(() => {
  repository = createTestRepository();
  repository.write("a file.txt", "one\ntwo\nthree\nfour\n");
  ids.push(repository.commit("first"));
  const keyframe = { traces: { t_1: { evidence: "edit", prompt: "count to\nfour" } } };
  repository.note(
    ids[0] ?? "",
    noteText({ '"a file.txt"': ["s_1::t_1 2-3", "h_1 4", "nobody 1"] }, { keyframe }),
  );
  repository.write("a file.txt", "one\n2\nthree\nfour\nfive\n");
  ids.push(repository.commit("second\n\ncommit in the message"));
  repository.note(ids[1] ?? "", noteText({ '"a file.txt"': ["s_2::t_2 5"] }));
  repository.write("b.txt", "new\n");
  ids.push(repository.commit("third"));
});
afterAll(() => repository.remove());

const run = (...args: string[]) => repository.keyframe(args);
const lines = (...args: string[]) => run(...args).stdout.split("\n");

describe("show", () => {
  test("tells who owns which lines, and the prompts behind them", () => {
    expect(run("show", "HEAD~2").stdout).toMatchInlineSnapshot(`
      "afaa329 first

      a file.txt
        Zoë Lind            1 line  4
        claude/sonnet-4-5  2 lines  2-3

      Zoë Lind  Zoë Lind <zoe@example.com>  1 line
      claude/sonnet-4-5  s_1  2 lines  conversation c-1
        prompt count to four  2 lines
      "
    `);
  });

  test("gives the note as it is stored, or as JSON", () => {
    expect(run("show", "--raw", "HEAD~1").stdout.trimEnd()).toBe(
      noteText({ '"a file.txt"': ["s_2::t_2 5"] }),
    );
    const json = JSON.parse(run("show", "--json", "HEAD~2").stdout);
    expect(json.files).toMatchObject([
      {
        path: "a file.txt",
        entries: [
          { owner: { kind: "human" }, ranges: [[4, 4]], lines: 1 },
          { owner: { kind: "agent", trace: "t_1" }, ranges: [[2, 3]], lines: 2 },
        ],
      },
    ]);
    expect(json.metadata.keyframe.traces.t_1.prompt).toBe("count to\nfour");
  });

  test("reads the notes of the first versions, one ref per commit, also when refs are packed", () => {
    const legacy = {
      files: { "b.txt": { authors: [{ author: "a", lines: [1], agent_metadata: { tool: "aider" } }] } },
    };
    const blob = repository.gitBytes(["hash-object", "-w", "--stdin"], { input: JSON.stringify(legacy) });
    repository.git("update-ref", `refs/ai/authorship/${ids[2]}`, blob.toString().trim());
    const loose = run("show", "HEAD");
    repository.git("pack-refs", "--all");
    const packed = run("show", "HEAD");
    repository.git("update-ref", "-d", `refs/ai/authorship/${ids[2]}`);
    expect(loose.stdout).toMatch(/b\.txt\n {2}aider {2}1 line {2}1\n/);
    expect(loose.stdout).toContain("remarks on the note:\n  the note is in the JSON form");
    expect(packed).toEqual(loose);
  });

  test("of a commit without a note is not found", () => {
    expect(run("show", "HEAD")).toMatchObject({ code: 3, stdout: "" });
  });
});

describe("log", () => {
  test.each([[], ["--graph"], ["-p", "--stat"], ["--pretty=fuller"], ["--branches", "--decorate"]])(
    "with %j is git log with one header line more",
    (...args) => {
      const git = repository.git("log", ...args);
      const ours = lines("log", ...args).filter((line) => !line.includes("Owners: "));
      expect(ours.join("\n").trimEnd()).toBe(git);
      expect(run("log", ...args).stdout.match(/Owners: /g)).toHaveLength(3);
    },
  );

  test("names the owners of what each commit adds", () => {
    expect(lines("log", "--oneline")).toEqual([
      `${repository.git("rev-parse", "--short", "HEAD")} third  ················  unknown 1`,
      `${repository.git("rev-parse", "--short", "HEAD~1")} second  ████████········  codex/gpt-5.1-codex 1 · unknown 1`,
      `${repository.git("rev-parse", "--short", "HEAD~2")} first  ████████▒▒▒▒····  claude/sonnet-4-5 2 · Zoë Lind 1 · unknown 1`,
      "",
    ]);
  });

  test("as JSON has one object per commit", () => {
    const json = JSON.parse(run("log", "--json").stdout);
    expect(json.map((commit: { commit: string }) => commit.commit)).toEqual([...ids].reverse());
    expect(json[2]).toMatchObject({ ai_additions: 2, human_additions: 1, unknown_additions: 1 });
    expect(run("log", "--json", "-0").stdout).toBe("[]\n");
  });

  test("errors and machine formats are git's", () => {
    expect(run("log", "nope")).toMatchObject({ code: 128, stdout: "" });
    expect(run("log", "--format=email").stdout).toBe(`${repository.git("log", "--format=email")}\n`);
  });
});

describe("diff", () => {
  test("names the writer of each added and removed line", () => {
    expect(run("diff", "HEAD~2", "HEAD", "--", "a file.txt").stdout).toMatchInlineSnapshot(`
      "diff --git a/a file.txt b/a file.txt
      index f384549..01a0bd3 100644
      --- a/a file.txt	
      +++ b/a file.txt	
      @@ -1,4 +1,5 @@
                          │ one
      claude/sonnet-4-5   │-two
                          │+2
                          │ three
                          │ four
      codex/gpt-5.1-codex │+five
      "
    `);
    const swapped = lines("diff", "HEAD", "HEAD~2", "--", "a file.txt");
    expect(swapped.find((line) => line.endsWith("+two"))).toMatch(/^claude/);
    expect(swapped.find((line) => line.endsWith("-five"))).toMatch(/^codex/);
  });

  test("takes ranges as git does, and is git's without owners", () => {
    expect(run("diff", "HEAD~2..HEAD").stdout).toBe(run("diff", "HEAD~2", "HEAD").stdout);
    expect(run("diff", "HEAD~2...HEAD").stdout).toBe(run("diff", "HEAD~2", "HEAD").stdout);
    expect(run("diff", "--stat", "HEAD~1").stdout).toBe(`${repository.git("diff", "--stat", "HEAD~1")}\n`);
    expect(run("diff", "--exit-code", "HEAD~1").code).toBe(1);
    expect(run("diff", "nope").code).toBe(128);
  });

  test("of the index and the work tree knows what was committed and leaves the rest unknown", () => {
    repository.write("a file.txt", "one\n2\nfour\nfive\nstaged\n");
    repository.git("add", "a file.txt");
    repository.write("a file.txt", "one\n2\nfour\nstaged\n");
    const cached = lines("diff", "--cached");
    const worktree = lines("diff");
    repository.git("reset", "-q", "--hard");
    expect(cached.find((line) => line.endsWith("-three"))).toMatch(/^claude\/sonnet-4-5 /);
    expect(cached.find((line) => line.endsWith("+staged"))).toMatch(/^ +│\+staged/);
    expect(worktree.find((line) => line.endsWith("-five"))).toMatch(/^codex/);
  });

  test("as JSON has each line with its owner and the records behind", () => {
    const json = JSON.parse(run("diff", "--json", "HEAD~2", "HEAD~1").stdout);
    expect(json.files[0].lines).toMatchObject([
      { kind: "removed", line: 2, owner: { tool: "claude", trace: "t_1" }, content: "two" },
      { kind: "added", line: 2, owner: null, content: "2" },
      { kind: "added", line: 5, owner: { tool: "codex" }, content: "five" },
    ]);
    expect(json.traces).toEqual({ t_1: { evidence: "edit", prompt: "count to\nfour" } });
  });
});

test("every command has help with an example", () => {
  for (const command of ["blame", "diff", "log", "show", "stats"]) {
    const { code, stdout } = run(command, "--help");
    expect([code, /Examples?:\n {2}keyframe/.test(stdout)]).toEqual([0, true]);
  }
});
