// Covers src/race/**, src/cli/race/**: lanes, checks, comparison, adoption and removal, through the built program with real git.
// The competitors are scripts that speak through Claude Code's hooks as the real program does.
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createTestRepository, keyframeProgram, type TestRepository } from "../support/test-repository.ts";

let repository: TestRepository;
beforeEach(() => {
  repository = createTestRepository();
  repository.write("add.js", "exports.add = (a, b) => a - b;\n");
  repository.write("upper.js", "exports.upper = (text) => text.toUpperCase();\n");
  repository.write("README.md", "one\ntwo\nthree\n");
  repository.write("test.sh", testScript);
  repository.write(".gitignore", "reports/\n.env\ndeps/\n");
  repository.write("deps/lib.js", "exports.lib = 1;\n");
  repository.commit("start");
  repository.keyframe(["enable"]);
  writeFileSync(agentPath(), agentProgram);
  chmodSync(agentPath(), 0o755);
});
afterEach(() => repository.remove());

/** Prints a JUnit report of two tests and fails where one fails. */
const testScript = `mkdir -p reports
node -e '
const cases = [["adds", () => require("./add.js").add(1, 2) === 3], ["upper", () => require("./upper.js").upper("a") === "A"]];
let code = 0;
const xml = cases.map(([name, run]) => { let ok = false; try { ok = run(); } catch {} if (!ok) code = 1;
  return "<testcase classname=\\"t\\" name=\\"" + name + "\\">" + (ok ? "" : "<failure/>") + "</testcase>"; }).join("");
require("fs").writeFileSync("reports/junit.xml", "<testsuite>" + xml + "</testsuite>");
process.exit(code);'
`;

const agentPath = () => join(repository.folder, "..", "agent.mjs");

/** agent.mjs <session> <file>=<content>...: one turn that writes the files, as Claude Code would tell it. */
const agentProgram = `#!/usr/bin/env node
import { spawnSync } from "node:child_process";
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
const [session, ...edits] = process.argv.slice(2);
const cwd = process.cwd();
const transcript = join(process.env.HOME, ".claude/projects", cwd.replace(/[^A-Za-z0-9]/g, "-"), session + ".jsonl");
mkdirSync(dirname(transcript), { recursive: true });
const line = (value) => appendFileSync(transcript, JSON.stringify(value) + "\\n");
const hook = (hook_event_name, more = {}) => spawnSync(process.execPath, [${JSON.stringify(keyframeProgram)}, "hook", "claude"],
  { input: JSON.stringify({ session_id: session, transcript_path: transcript, cwd, hook_event_name, ...more }) });
hook("UserPromptSubmit", { prompt: process.env.KEYFRAME_PROMPT });
line({ type: "user", sessionId: session, message: { role: "user", content: process.env.KEYFRAME_PROMPT } });
for (const [place, edit] of edits.entries()) {
  const [file, content] = edit.split("=");
  const call = { tool_name: "Write", tool_use_id: "t" + place, tool_input: { file_path: join(cwd, file) } };
  hook("PreToolUse", call);
  writeFileSync(join(cwd, file), content.replaceAll("~", "=").replaceAll("|", "\\n"));
  hook("PostToolUse", call);
}
line({ type: "assistant", sessionId: session, message: { id: "m" + (process.env.ANSWER ?? ""), role: "assistant", model: "claude-test-1",
  content: [{ type: "text", text: "done" }], usage: { input_tokens: 100, output_tokens: 20 } } });
hook("Stop");
`;

const fixes = (session: string) => `${agentPath()} ${session} 'add.js=exports.add ~ (a, b) ~> a + b;|'`;
const breaks = (session: string) => `${agentPath()} ${session} 'upper.js=exports.upper ~ (text) ~> text;|'`;
const ids = { fix: "11111111-0000-4000-8000-000000000001", break: "22222222-0000-4000-8000-000000000002" };
const prompt = "make the failing test pass";
const checks = ["--check", "sh test.sh", "--check", "junit=reports/*.xml"];

interface Row {
  readonly lane: {
    readonly name: string;
    readonly state: string;
    readonly path?: string;
    readonly filesBy?: string;
    readonly commit?: string;
    readonly problem?: string;
    readonly observedLines?: number;
    readonly unknownLines?: number;
    readonly checks: readonly { readonly passed: boolean; readonly flaky?: readonly string[] }[];
  };
  readonly passed: number;
  readonly tests: { readonly fixed: string[]; readonly broken: string[]; readonly stillFailing: string[] };
  readonly tokens: number;
  readonly byClass: Readonly<Record<string, number>>;
  readonly price: number;
  readonly numbers: readonly object[];
}
interface RaceJson {
  readonly id: string;
  readonly directory: string;
  readonly rows: Row[];
}

function race(
  lanes: Record<string, string>,
  ...more: string[]
): { readonly code: number; readonly race: RaceJson } {
  const flags = Object.entries(lanes).flatMap(([name, command]) => ["--lane", `${name}=${command}`]);
  const result = repository.keyframe(["race", "start", ...flags, "--prompt", prompt, "--json", ...more]);
  expect(result.stderr).toBe("");
  return { code: result.code, race: JSON.parse(result.stdout) as RaceJson };
}

function checkout() {
  return {
    head: repository.git("rev-parse", "HEAD"),
    branch: repository.git("symbolic-ref", "HEAD"),
    index: repository.git("ls-files", "-s"),
    status: repository.git("status", "--porcelain", "--untracked-files=all"),
    config: readFileSync(join(repository.folder, ".git/config"), "utf8"),
    files: ["add.js", "upper.js", "README.md"].map((path) =>
      readFileSync(join(repository.folder, path), "utf8"),
    ),
  };
}

const ok = (...args: string[]) => {
  const result = repository.keyframe(args);
  expect([result.code, result.stderr]).toEqual([0, ""]);
  return result.stdout;
};

test("lanes are compared by the tests they fix and break, the winner is adopted with its authors, and undone", () => {
  const before = checkout();
  const { code, race: result } = race(
    { fixer: fixes(ids.fix), breaker: breaks(ids.break), sleeper: "sleep 600" },
    ...checks,
    "--limit",
    "15s",
  );
  expect(code).toBe(0);
  expect(checkout()).toEqual(before);
  const [fixer, breaker, sleeper] = result.rows;
  expect([fixer?.lane.state, fixer?.passed, fixer?.tests.fixed, fixer?.tests.broken]).toEqual([
    "done",
    2,
    ["t > adds"],
    [],
  ]);
  expect([fixer?.lane.observedLines, fixer?.lane.unknownLines, fixer?.tokens]).toEqual([1, 0, 120]);
  expect([breaker?.lane.state, breaker?.passed, breaker?.tests.broken, breaker?.tests.stillFailing]).toEqual([
    "done",
    0,
    ["t > upper"],
    ["t > adds"],
  ]);
  expect([sleeper?.lane.state, sleeper?.lane.commit]).toEqual(["timed-out", undefined]);

  expect(fixer?.byClass).toEqual({ input: 100, output: 20, cacheRead: 0, cacheCreation: 0, calls: 1 });
  expect(fixer?.price).toBe(200);

  // a judge sees the task and the changes, and no name
  const judged = JSON.parse(ok("race", "judge", "cat; pwd", "--json")) as {
    answer: string;
    lanes: Record<string, string>;
  };
  expect(Object.entries(judged.lanes).map(([letter]) => letter)).toEqual(["A", "B"]);
  expect(Object.values(judged.lanes).sort()).toEqual(["breaker", "fixer"]);
  expect(judged.answer).toContain(`# Task\n\n${prompt}`);
  for (const [letter, name] of Object.entries(judged.lanes))
    expect(judged.answer).toMatch(
      new RegExp(`# Candidate ${letter}\\n\\ndiff --git a/${name === "fixer" ? "add" : "upper"}.js`),
    );
  expect(judged.answer).not.toMatch(/fixer|breaker|claude/);
  const failing = repository.keyframe(["race", "judge", "echo broken >&2; exit 7"]);
  expect([failing.code, failing.stderr]).toEqual([
    1,
    expect.stringContaining("the judge ended with 7: broken"),
  ]);

  const table = ok("race", "show");
  expect(table).toContain("100 in, 0 cached, 20 out");
  // the same cells in Markdown
  const cells = (line: string) => line.split(/ {2,}/).map((cell) => cell.trim());
  const rows = table
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => `| ${cells(line).join(" | ")} |`);
  const markdown = ok("race", "show", "--markdown").trim().split("\n");
  expect([markdown[0], ...markdown.slice(2)]).toEqual(rows);
  expect(table).toContain("1 fixed");
  expect(table).toContain("1 broken");
  expect(table).toContain("timed-out");
  expect(ok("race", "diff", "fixer")).toContain("+exports.add = (a, b) => a + b;");

  ok("race", "adopt", "fixer");
  expect(repository.git("log", "--format=%s", "-1")).toBe(prompt);
  expect(readFileSync(join(repository.folder, "add.js"), "utf8")).toContain("a + b");
  expect(repository.git("status", "--porcelain")).toBe("");
  expect(ok("blame", "add.js")).toContain("claude");
  expect(ok("explain", "add.js:1")).toContain(prompt);
  ok("race", "adopt", "--undo");
  expect(checkout()).toEqual(before);
});

test("a dirty checkout: every lane sees the same status, other changes stay, and owners survive a moved branch", () => {
  repository.write("README.md", "ONE\ntwo\nthree\n");
  repository.git("add", "README.md");
  repository.write("README.md", "ONE\ntwo\nTHREE\n");
  repository.write("notes.txt", "mine\n");
  const status = repository.git("status", "--porcelain");
  const { race: result } = race({ seer: `git status --porcelain > ../seen; ${fixes(ids.fix)}` });
  expect(`${readFileSync(join(result.directory, "seen"), "utf8")}`.trimEnd()).toBe(status);

  // somebody commits something else meanwhile
  const index = repository.git("ls-files", "-s", "README.md");
  repository.git("commit", "-q", "--allow-empty", "-m", "meanwhile", "--only", "--allow-empty");
  expect(repository.git("ls-files", "-s", "README.md")).toBe(index);
  ok("race", "adopt", "seer", "--only", "add.js");
  expect(repository.git("show", "--format=", "--name-only", "HEAD")).toBe("add.js");
  expect(repository.git("status", "--porcelain")).toBe(status);
  expect(readFileSync(join(repository.folder, "README.md"), "utf8")).toBe("ONE\ntwo\nTHREE\n");
  expect(ok("blame", "add.js")).toContain("claude");
  expect(ok("explain", "add.js:1")).toContain(prompt);
});

test("a race from an earlier moment has its files; what lanes made is adopted onto what came later", () => {
  repository.write("draft.txt", "draft\n");
  ok("mark", "the draft");
  repository.write("draft.txt", "rewritten\n");
  repository.write("later.txt", "later\n");
  repository.commit("later");
  const before = checkout();
  const { race: result } = race(
    { reader: "cat draft.txt > seen.txt; ls later.txt >> seen.txt 2>/dev/null" },
    "the draft",
  );
  expect(checkout()).toEqual(before);
  const [reader] = result.rows;
  expect(repository.git("show", `${reader?.lane.commit}:seen.txt`)).toBe("draft");
  ok("race", "adopt", "reader");
  expect(repository.git("show", "--format=", "--name-only", "HEAD")).toBe("seen.txt");
  expect(readFileSync(join(repository.folder, "draft.txt"), "utf8")).toBe("rewritten\n");
  const missing = repository.keyframe(["race", "start", "no such moment", "--prompt", prompt]);
  expect([missing.code, missing.stderr]).toEqual([3, expect.stringContaining("no moment named")]);
});

test("a lane has ignored directories as copies of its own, and its files can be opened when it has ended", () => {
  const { race: result } = race({
    user: "cat deps/lib.js > seen.txt; echo changed > deps/lib.js; rm README.md; mkdir reports; echo x > reports/a.xml",
    other: "cat deps/lib.js > seen-too.txt",
  });
  const [user, other] = result.rows;
  expect(readFileSync(join(repository.folder, "deps/lib.js"), "utf8")).toBe("exports.lib = 1;\n");
  const { code, stdout } = repository.keyframe(["race", "open", "other"]);
  const opened = stdout.trim();
  expect(code).toBe(0);
  expect(opened).toBe(other?.lane.path);
  expect(existsSync(join(opened, "README.md"))).toBe(true);
  expect(repository.git("-C", opened, "status", "--porcelain")).toBe("");
  const text = readFileSync(join(opened, "seen-too.txt"), "utf8");
  // without overlays and reflinks dependencies come by --setup only
  expect([user?.lane.filesBy, text]).toEqual(
    user?.lane.filesBy === "checkout" ? ["checkout", ""] : [expect.anything(), "exports.lib = 1;\n"],
  );
  expect(repository.git("diff", "--name-status", "HEAD", user?.lane.commit ?? "")).toBe(
    "D\tREADME.md\nA\tseen.txt",
  );
});

test("a lane is ended where its conversations hold more tokens or answers than it may use", () => {
  const tokens = race({ spender: `${fixes(ids.fix)}; sleep 90`, other: "true" }, "--tokens", "100").race;
  const facts = ({ rows }: RaceJson) => rows.map(({ lane }) => [lane.name, lane.state, lane.problem]);
  expect(facts(tokens)).toEqual([
    ["spender", "over-limit", "more than 100 tokens"],
    ["other", "done", undefined],
  ]);
  const twice = `${fixes(ids.fix)}; ANSWER=2 ${breaks(ids.fix)}; sleep 90`;
  const turns = race({ talker: twice, brief: `${fixes(ids.break)}` }, "--turns", "1").race;
  expect(facts(turns)).toEqual([
    ["talker", "over-limit", "more than 1 turns"],
    ["brief", "done", undefined],
  ]);
  // what it had done until then is kept
  expect(turns.rows[0]?.lane.commit).toMatch(/^[0-9a-f]{40}$/);
});

test("a test that passes when it runs again is flaky, and a number inside its own spread is no winner", () => {
  repository.write(
    "flaky.sh",
    `mkdir -p reports; state='<failure/>'; [ ! -e "$TMPDIR/again" ] || state=; touch "$TMPDIR/again"
echo "<testsuite><testcase name='sometimes'>$state</testcase></testsuite>" > reports/flaky.xml`,
  );
  // 10, 12, 14; a lane with the file `slower` 11, 13, 15; one with `slow` 60, 62, 64
  repository.write(
    "bench.sh",
    `n=$(cat "$TMPDIR/n" 2>/dev/null || echo 0); echo $((n + 2)) > "$TMPDIR/n"
first=10; [ ! -e slower ] || first=11; [ ! -e slow ] || first=60; echo "parse $((first + n))"`,
  );
  const lanes = { slower: "touch slower", slow: "touch slow" };
  const flags = ["--check", "sh flaky.sh", "--check", "junit=reports/*.xml", "--bench", "sh bench.sh"];
  const { rows } = race(lanes, ...flags).race;
  expect(rows.map(({ lane }) => lane.checks.map(({ passed, flaky }) => [passed, flaky]))).toEqual(
    [0, 1].map(() => [
      [true, undefined],
      [true, ["sometimes"]],
      [true, undefined],
    ]),
  );
  expect(rows.map(({ tests }) => [tests.fixed, tests.broken, tests.stillFailing])).toEqual(
    [0, 1].map(() => [[], [], []]),
  );
  expect(rows.map(({ numbers }) => numbers)).toEqual([
    [{ name: "parse", base: 12, lane: 13, ratio: 13 / 12, noise: true }],
    [{ name: "parse", base: 12, lane: 62, ratio: 62 / 12, noise: false }],
  ]);
});

test("your own changes in the lane's paths are in the way, and are named before anything is touched", () => {
  race({ fixer: fixes(ids.fix) });
  repository.write("add.js", "exports.add = () => 0;\n");
  const before = checkout();
  const refused = repository.keyframe(["race", "adopt", "fixer"]);
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toContain("add.js");
  expect(checkout()).toEqual(before);
});

test("a conflict with commits made meanwhile is named before anything is touched", () => {
  race({ fixer: fixes(ids.fix) });
  repository.write("add.js", "exports.add = (a, b) => a * b;\n");
  repository.commit("meanwhile");
  const before = checkout();
  const refused = repository.keyframe(["race", "adopt", "fixer"]);
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toContain("conflict in add.js");
  expect(checkout()).toEqual(before);
});

test("parts of two lanes are adopted one after the other, each with its owners; what lost is known everywhere", () => {
  const { race: result } = race({ fixer: fixes(ids.fix), breaker: breaks(ids.break) }, ...checks);
  const before = checkout();
  const commit = result.rows[1]?.lane.commit ?? "";
  const isTried = `race:${result.id}/breaker): 0 of 2 checks passed; broke t > upper; `;
  expect(repository.keyframe(["explain", commit.slice(0, 10)]).stderr).toContain(isTried);
  expect(ok("search", "failing")).toContain(`${isTried}no lane was adopted`);
  expect(ok("timeline", "--all")).toContain(`race/${result.id}/breaker`);

  ok("race", "adopt", "fixer", "--only", "add.js");
  expect(ok("search", "failing")).toContain(`${isTried}lane fixer was adopted instead`);
  const between = checkout();
  ok("race", "adopt", "breaker", "--only", "upper.js");
  for (const [path, session] of [
    ["add.js", ids.fix],
    ["upper.js", ids.break],
  ] as const) {
    const { blame } = JSON.parse(ok("blame", "--json", path)) as {
      readonly blame: readonly { readonly owner: { readonly conversation?: string } | null }[];
    };
    expect([path, blame[0]?.owner?.conversation]).toEqual([path, session]);
  }
  expect(ok("race", "list")).toContain("adopted breaker, fixer");
  ok("race", "adopt", "--undo");
  expect(checkout()).toEqual(between);
  expect(ok("race", "list")).toContain("adopted fixer");
  ok("race", "adopt", "--undo");
  expect(checkout()).toEqual(before);
});

test("what a lane starts ends with it, however it detaches itself", () => {
  const marker = join(repository.folder, "..", "alive");
  mkdirSync(marker);
  const survivor = `sh -c 'trap "" TERM; while :; do sleep 0.2; done'`;
  race({
    nasty: `setsid ${survivor} & (${survivor} &) ; env -i setsid ${survivor} & echo $$ > ${marker}/pid; exit 0`,
  });
  const left = readdirSync("/proc").filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(`/proc/${name}/cmdline`, "latin1").includes("while :; do sleep 0.2; done");
    } catch {
      return false;
    }
  });
  expect(left).toEqual([]);
});

test("after drop nothing is left: worktrees, refs, directories", () => {
  const refs = repository.git("for-each-ref", "--format=%(refname)");
  const { race: result } = race({ fixer: fixes(ids.fix) });
  const refused = repository.keyframe(["race", "drop"]);
  expect(refused.stderr).toContain("only race");
  ok("race", "drop", "--worktrees");
  expect(existsSync(result.directory)).toBe(false);
  expect(repository.git("worktree", "list").split("\n")).toHaveLength(1);
  expect(ok("race", "diff", "fixer")).toContain("a + b");
  ok("race", "drop", "--force");
  const kept = repository.git("for-each-ref", "--format=%(refname)").split("\n");
  expect(kept.filter((ref) => ref.startsWith("refs/keyframe/race"))).toEqual([]);
  expect(kept.length).toBeGreaterThanOrEqual(refs.split("\n").length);
  expect(existsSync(join(repository.folder, ".git/keyframe/races", result.id))).toBe(false);
});

test("wrong input says what is wrong", () => {
  const error = (...args: string[]) => repository.keyframe(["race", ...args]).stderr;
  expect(error("start")).toContain("pass either --prompt or --prompt-file");
  expect(error("start", "--prompt", "x", "--lane", "base=true")).toContain("not a lane");
  expect(error("start", "--prompt", "x", "--limit", "soon")).toContain("not a time");
  expect(error("show")).toContain("no race was started here");
  expect(error("adopt", "x")).toContain("no race was started here");
});
