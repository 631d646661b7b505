import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestRepository, noteText, type TestRepository } from "../support/test-repository.ts";

let repository: TestRepository;
let first: string;

beforeAll(() => {
  repository = createTestRepository();
  const numbered = Array.from({ length: 12 }, (_, index) => `line ${index + 1} é\n`).join("");
  repository.write("old name.txt", numbered);
  repository.write("src/run.c", "int a;\n\nint run(void)\n{\n\treturn 1;\n}\n\nint b;\n");
  repository.write("latin.txt", Buffer.from("caf\xe9\nna\xefve\r\nend without newline", "latin1"));
  first = repository.commit("one");
  repository.note(
    first,
    noteText(
      {
        '"old name.txt"': ["s_1::t_1 3-5", "h_1 1"],
        "src/run.c": ["s_2::t_9 3-6"],
        "latin.txt": ["s_1::t_1 2-3"],
      },
      {
        keyframe: { traces: { t_1: { evidence: "edit", prompt: "write lines" } } },
      },
    ),
  );
  repository.git("mv", "old name.txt", "new.txt");
  repository.write(
    "new.txt",
    `${numbered.replace("line 4 é", "changed").replace("line 9 é", "  line 9 é")}tail\n`,
  );
  const second = repository.commit("two");
  repository.note(second, noteText({ "new.txt": ["s_2::t_2 4,13"] }));
  repository.write("rev-list", `${second}\n`);
  repository.commit("three");
  repository.write("new.txt", `${numbered}tail\nnot committed\n`);
});
afterAll(() => repository.remove());

/** Ours without the owner column: every line must then be git's. */
function withoutColumn(ours: string, git: string): string {
  const oursLines = ours.split("\n");
  return git
    .split("\n")
    .map((line, index) => {
      const own = oursLines[index] ?? "";
      let same = 0;
      while (same < line.length && own[same] === line[same]) same += 1;
      const rest = line.length - same;
      // the column is one run of added characters; what stands around it is git's
      const added = own.slice(same, own.length - rest);
      return own.endsWith(line.slice(same)) && added.length === own.length - line.length ? line : own;
    })
    .join("\n");
}

describe("blame is git blame with one column more", () => {
  const lines: readonly string[] = [
    "new.txt",
    "HEAD -- new.txt",
    "HEAD new.txt",
    "-L 3,5 -L 8,+2 HEAD new.txt",
    "-L /changed/,/line.6/ HEAD new.txt",
    "-L :run src/run.c",
    "-w HEAD new.txt",
    "-M -C -C HEAD new.txt",
    "-s HEAD new.txt",
    "-se -L2,4 HEAD new.txt",
    "-e -f -n HEAD new.txt",
    "-t -l --root HEAD new.txt",
    "-b HEAD new.txt",
    "-c HEAD new.txt",
    "--abbrev=12 HEAD new.txt",
    "--date=relative HEAD new.txt",
    "--date short HEAD new.txt",
    "--date format:%d)%m HEAD new.txt",
    "--ignore-rev HEAD~1 HEAD new.txt",
    "--ignore-revs-file rev-list HEAD new.txt",
    "--first-parent HEAD new.txt",
    "--since 2026-01-02T02:05:30Z HEAD new.txt",
    "HEAD~1..HEAD new.txt",
    "--reverse HEAD~1..HEAD -- new.txt",
    "--color-lines HEAD new.txt",
    "--show-stats HEAD new.txt",
    "HEAD latin.txt",
  ];
  test.each(lines)("blame %s", (line) => {
    const args = line.split(" ");
    const { git, ours } = inOneSecond(() => ({
      git: repository.gitBytes(["blame", ...args], { env: repository.env }).toString("latin1"),
      ours: repository.keyframe(["blame", ...args]),
    }));
    expect(ours.stderr).toBe("");
    expect(ours.stdout).toMatch(/(claude|codex)\/| Zoë Lind /);
    const stripped = withoutColumn(ours.bytes.toString("latin1"), git);
    // the time of what is not committed is now
    const untimed = (text: string) =>
      text.replace(/(Not Committed Yet|External file).{20,40}?( +\d+\))/g, "$1$2");
    expect(untimed(stripped)).toBe(untimed(git));
    expect(repository.keyframe(["blame", "--no-owner", ...args]).bytes.toString("latin1").length).toBe(
      git.length,
    );
  });

  test.each(["--porcelain", "--line-porcelain", "-p", "--incremental"])(
    "the extra headers of %s are all that differs",
    (format) => {
      for (const rest of [
        ["HEAD", "new.txt"],
        ["-L3,5", "new.txt"],
        ["HEAD", "latin.txt"],
      ]) {
        const ours = repository.keyframe(["blame", format, ...rest]).bytes.toString("latin1");
        const git = repository
          .gitBytes(["blame", format, ...rest], { env: repository.env })
          .toString("latin1");
        const untimed = (text: string) => text.replace(/^(author|committer)-time .*/gm, "");
        expect(ours).toContain("keyframe-owner");
        expect(untimed(ours.replace(/^keyframe-.*\n/gm, ""))).toBe(untimed(git));
      }
    },
  );

  test("standard input stands for the contents where the user says so", () => {
    const numbered = repository.gitBytes(["show", "HEAD~2:old name.txt"]);
    const args = ["blame", "-s", "--contents", "-", "new.txt"];
    const git = repository.gitBytes(args, { env: repository.env, input: numbered }).toString();
    const ours = repository.keyframe(args, { stdin: numbered }).stdout;
    expect(withoutColumn(ours, git)).toBe(git);
    expect(ours).toContain("claude/sonnet-4-5  3) line 3");
  });

  test("errors and exit codes are git's", () => {
    const { code, stderr } = repository.keyframe(["blame", "nothing.txt"]);
    expect([code, stderr]).toEqual([128, "fatal: no such path 'nothing.txt' in HEAD\n"]);
  });

  test("paths are relative to the folder it is called in", () => {
    mkdirSync(join(repository.folder, "src"), { recursive: true });
    const { stdout } = repository.keyframe(["blame", "-s", "-L3,3", "run.c"], {
      cwd: join(repository.folder, "src"),
    });
    expect(stdout).toMatch(/codex\/gpt-5\.1-codex 3\) int run\(void\)/);
  });
});

describe("owners", () => {
  test("are found by the commit, path and line that wrote each line, through a rename", () => {
    expect(repository.keyframe(["blame", "-s", "HEAD", "new.txt"]).stdout).toBe(
      [
        `^${first.slice(0, 7)} old name.txt Zoë Lind             1) line 1 é`,
        `^${first.slice(0, 7)} old name.txt                      2) line 2 é`,
        `^${first.slice(0, 7)} old name.txt claude/sonnet-4-5    3) line 3 é`,
        "SECOND new.txt      codex/gpt-5.1-codex  4) changed",
        `^${first.slice(0, 7)} old name.txt claude/sonnet-4-5    5) line 5 é`,
        ...[6, 7, 8].map((n) => `^${first.slice(0, 7)} old name.txt                      ${n}) line ${n} é`),
        "SECOND new.txt                           9)   line 9 é",
        ...[10, 11, 12].map(
          (n) => `^${first.slice(0, 7)} old name.txt                     ${n}) line ${n} é`,
        ),
        "SECOND new.txt      codex/gpt-5.1-codex 13) tail",
        "",
      ]
        .join("\n")
        .replaceAll("SECOND", repository.git("rev-parse", "--short=8", "HEAD~1")),
    );
  });

  test("of a reversed blame are those who wrote the line, not the commit that last had it", () => {
    const { stdout } = repository.keyframe(["blame", "-s", "--reverse", "HEAD~1..HEAD", "--", "new.txt"]);
    expect(stdout.split("\n")[2]).toMatch(/claude\/sonnet-4-5 +3\)/);
    expect(stdout.split("\n")[3]).toMatch(/codex\/gpt-5\.1-codex +4\)/);
  });

  test("with their sessions, prompts and humans are in the JSON", () => {
    const json = JSON.parse(repository.keyframe(["blame", "--json", "-L1,5", "HEAD", "new.txt"]).stdout);
    expect(json.lines).toEqual({ "3": "s_1::t_1", "4": "s_2::t_2", "5": "s_1::t_1" });
    expect(Object.keys(json.sessions)).toEqual(["s_1", "s_2"]);
    expect(json.humans).toEqual({ h_1: { author: "Zoë Lind <zoe@example.com>" } });
    expect(json.traces).toEqual({ t_1: { evidence: "edit", prompt: "write lines" } });
    expect(json.blame[1].owner).toBeNull();
    expect(json.blame[2]).toMatchObject({
      line: 3,
      commit: first,
      original_path: "old name.txt",
      author: "Ann Müller",
      owner: { kind: "agent", session: "s_1", tool: "claude", conversation: "c-1" },
      content: "line 3 é",
    });
  });

  test("from notes that hold control characters cannot start lines or drive the terminal", () => {
    const hostile = createTestRepository();
    hostile.write("f", "x\n");
    const commit = hostile.commit("one");
    hostile.note(
      commit,
      noteText(
        { f: ["h_1 1"] },
        { humans: { h_1: { author: "E\u001b[31mvil\nkeyframe-owner agent\u009b2J <e@x>" } } },
      ),
    );
    const text = hostile.keyframe(["blame", "f"]).stdout;
    const porcelain = hostile.keyframe(["blame", "--porcelain", "f"]).stdout;
    hostile.remove();
    for (const output of [text, porcelain]) {
      expect(output).not.toContain("\u001b");
      expect(output).not.toContain("\u009b");
    }
    expect(text.split("\n")).toHaveLength(2);
    expect(porcelain.match(/^keyframe-owner/gm)).toHaveLength(1);
  });
});

/** Does it again until it fits into one second: what is not committed is shown with the present time. */
function inOneSecond<T>(work: () => T): T {
  for (let attempt = 1; ; attempt += 1) {
    const second = Math.floor(Date.now() / 1000);
    const result = work();
    if (Math.floor(Date.now() / 1000) === second || attempt === 20) return result;
  }
}
