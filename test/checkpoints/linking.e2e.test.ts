// Covers src/checkpoints/commit/**, src/checkpoints/turn/**, src/cli/hooks/**.
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
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

const v1 = "entire/checkpoints/v1";
const commit = (...args: string[]) => {
  repository.gitBytes(["commit", "-q", ...args]);
  return trailers();
};
const trailers = (revision = "HEAD") =>
  repository
    .git("log", "-1", "--format=%(trailers:key=Entire-Checkpoint,valueonly)", revision)
    .split("\n")
    .filter((line) => line !== "");
const show = (path: string) => repository.git("show", `${v1}:${path}`);
const folderOf = (id: string | undefined) => `${id?.slice(0, 2)}/${id?.slice(2)}`;
const json = (path: string) => JSON.parse(show(path));
const stateOf = (session: AgentSession) =>
  JSON.parse(readFileSync(join(repository.folder, `.git/entire-sessions/${session.id}.json`), "utf8"));
const problems = () => JSON.parse(repository.keyframe(["status", "--json"]).stdout).problems;

test("a commit of a session's work names a checkpoint that holds the conversation", async () => {
  const session = startAgentSession(repository, "s-1", { through: "program" });
  await session.prompt("create hello with key AKIAABCDEFGHIJKLMNOP");
  await session.write("hello.go", "package hello\n\nfunc Hello() {}\n");
  session.say("Done.");
  await session.stop();
  repository.git("add", "-A");
  const [id] = commit("-m", "add hello");
  expect(id).toMatch(/^[0-9a-f]{12}$/);
  const folder = folderOf(id);
  expect(repository.git("ls-tree", "-r", "--name-only", v1).split("\n")).toEqual(
    ["0/content_hash.txt", "0/full.jsonl", "0/metadata.json", "0/prompt.txt", "metadata.json"].map(
      (name) => `${folder}/${name}`,
    ),
  );
  expect(json(`${folder}/metadata.json`)).toMatchObject({
    checkpoint_id: id,
    strategy: "manual-commit",
    branch: "main",
    files_touched: ["hello.go"],
    token_usage: { input_tokens: 20, output_tokens: 10, api_call_count: 2 },
  });
  expect(json(`${folder}/0/metadata.json`)).toMatchObject({
    session_id: "s-1",
    agent: "Claude Code",
    model: "claude-test-1",
    initial_attribution: { agent_lines: 3, total_committed: 3, agent_percentage: 100, human_added: 0 },
  });
  expect(show(`${folder}/0/prompt.txt`)).toBe("create hello with key REDACTED");
  expect(show(`${folder}/0/full.jsonl`)).not.toContain("AKIA");
  expect(repository.git("log", "-1", "--format=%B", v1)).toContain("Entire-Session: s-1");
  expect(stateOf(session)).toMatchObject({
    phase: "idle",
    base_commit: repository.git("rev-parse", "HEAD"),
    checkpoint_count: 0,
    last_checkpoint_id: id,
    checkpoint_transcript_start: 4,
  });
  expect(stateOf(session)["files_touched"]).toBeUndefined();
  expect(problems()).toEqual([]);
  expect(readdirSync(join(repository.folder, ".git/keyframe/commit/prepared"))).toEqual([]);
});

test("an agent that commits inside its turn gets its checkpoint at once, and the whole conversation at the end", async () => {
  const session = startAgentSession(repository, "s-2");
  await session.prompt("make and commit");
  let ids: string[] = [];
  await session.write("a", "by the agent\n");
  await session.shell(() => {
    repository.write("b", "in the shell\n");
    repository.git("add", "-A");
    ids = commit("-m", "feat: agent's own");
  });
  expect(ids).toHaveLength(1);
  const folder = folderOf(ids[0]);
  expect(json(`${folder}/metadata.json`).files_touched).toEqual(["a", "b"]);
  expect(show(`${folder}/0/full.jsonl`)).not.toContain("all committed");
  expect(stateOf(session)).toMatchObject({ phase: "active", turn_checkpoint_ids: ids });
  session.say("all committed");
  await session.stop();
  expect(show(`${folder}/0/full.jsonl`)).toContain("all committed");
  expect(stateOf(session).phase).toBe("idle");
  expect(stateOf(session).turn_checkpoint_ids).toBeUndefined();
  expect(problems()).toEqual([]);
});

test("last words that reach the disk after the turn's end come into its checkpoints with the next prompt", async () => {
  const session = startAgentSession(repository, "s-3");
  await session.prompt("go");
  await session.write("a", "one\n");
  repository.git("add", "-A");
  const [id] = commit("-m", "mid-turn");
  await session.stop();
  expect(stateOf(session).turn_checkpoint_ids).toEqual([id]);
  session.say("late words");
  await session.prompt("next");
  expect(show(`${folderOf(id)}/0/full.jsonl`)).toContain("late words");
  expect(show(`${folderOf(id)}/0/full.jsonl`)).not.toContain("next");
  expect(stateOf(session).turn_checkpoint_ids).toBeUndefined();
});

test("work that was not committed is carried on to the next commit, with the conversation behind it", async () => {
  const session = startAgentSession(repository, "s-4");
  await session.prompt("make four");
  for (const name of ["A", "B", "C", "D"]) await session.write(name, `${name}\n`);
  session.say("done");
  await session.stop();
  expect(stateOf(session)).toMatchObject({ files_touched: ["A", "B", "C", "D"], checkpoint_count: 1 });
  repository.git("add", "A", "B");
  const [first] = commit("-m", "one");
  expect(stateOf(session)).toMatchObject({ files_touched: ["C", "D"], checkpoint_count: 1 });
  expect(stateOf(session).last_checkpoint_id).toBeUndefined();
  expect(stateOf(session).checkpoint_transcript_start).toBeUndefined();
  repository.git("add", "C", "D");
  const [second] = commit("-m", "two");
  expect(first).not.toBe(second);
  expect(json(`${folderOf(first)}/metadata.json`).files_touched).toEqual(["A", "B"]);
  expect(json(`${folderOf(second)}/metadata.json`).files_touched).toEqual(["C", "D"]);
  expect(show(`${folderOf(second)}/0/prompt.txt`)).toBe("make four");
  // the tokens were counted with the first one
  expect(json(`${folderOf(second)}/metadata.json`).token_usage).toBeUndefined();
});

test("two hunks of one file that are committed one after the other name two checkpoints", async () => {
  const lines = Array.from({ length: 20 }, (_, index) => `line ${index}`);
  repository.write("f", `${lines.join("\n")}\n`);
  repository.commit("base");
  const session = startAgentSession(repository, "s-5");
  await session.prompt("two hunks");
  const both = lines.map((line, index) => (index === 1 || index === 17 ? `${line} changed` : line));
  await session.write("f", `${both.join("\n")}\n`);
  await session.stop();
  const one = lines.map((line, index) => (index === 1 ? `${line} changed` : line));
  const blob = repository.gitBytes(["hash-object", "-w", "--stdin"], { input: `${one.join("\n")}\n` });
  repository.git("update-index", "--cacheinfo", `100644,${blob.toString().trim()},f`);
  const [first] = commit("-m", "first hunk");
  repository.git("add", "f");
  const [second] = commit("-m", "second hunk");
  expect(first).toMatch(/^[0-9a-f]{12}$/);
  expect(second).toMatch(/^[0-9a-f]{12}$/);
  expect(second).not.toBe(first);
});

test("a session is not linked to commits without its work, and loses nothing by them", async () => {
  const session = startAgentSession(repository, "s-6");
  await session.prompt("touch a, and a file that a person replaces");
  await session.write("a", "agent\n");
  await session.write("new.txt", "X\n");
  await session.stop();
  const before = stateOf(session);
  repository.write("b", "a person's\n");
  repository.git("add", "b");
  expect(commit("-m", "unrelated")).toEqual([]);
  expect(stateOf(session)).toEqual(before);
  repository.write("new.txt", "something else entirely\n");
  repository.git("add", "new.txt");
  expect(commit("-m", "a person's new.txt")).toEqual([]);
  repository.write("own", "more\n");
  repository.git("add", "a", "own");
  const [id] = commit("-m", "with a");
  expect(json(`${folderOf(id)}/metadata.json`).files_touched).toEqual(["a"]);
  repository.write("c", "later\n");
  repository.git("add", "c");
  expect(commit("-m", "later")).toEqual([]);
});

test("removals, renames, binary files and cuts by a session are its work", async () => {
  repository.write("gone", "x\n");
  repository.write("old-name", "1\n2\n3\n4\n5\n6\n7\n8\n");
  repository.write("long", "keep\ncut\nkeep too\n");
  repository.commit("base");
  const work: [string, string[]][] = [
    ["remove", ["gone"]],
    ["cut", ["long"]],
    ["binary", ["data.bin"]],
    ["rename", ["new-name"]],
  ];
  for (const [what, paths] of work) {
    const session = startAgentSession(repository, `s-${what}`);
    await session.prompt(what);
    await session.shell(() => {
      if (what === "remove") rmSync(join(repository.folder, "gone"));
      if (what === "cut") repository.write("long", "keep\nkeep too\n");
      if (what === "binary") repository.write("data.bin", Buffer.from([0, 1, 2, 0]));
      if (what === "rename") {
        renameSync(join(repository.folder, "old-name"), join(repository.folder, "new-name"));
        repository.write("new-name", "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
      }
    });
    await session.stop();
    repository.git("add", "-A");
    const [id] = commit("-m", what);
    expect([what, id && json(`${folderOf(id)}/metadata.json`).files_touched]).toEqual([what, paths]);
  }
});

test("a trailer that the user removes leaves the commit unlinked and the session as it was", async () => {
  const session = startAgentSession(repository, "s-7");
  await session.prompt("go");
  await session.write("a", "1\n");
  session.say("ok");
  await session.stop();
  repository.git("add", "-A");
  editor(`sed -i -e '/^Entire-Checkpoint/d' -e '1s/^/subject: written/' "$1"`);
  expect(commit()).toEqual([]);
  expect(repository.git("log", "-1", "--format=%B").trim()).toBe("subject: written");
  expect(repository.git("for-each-ref", `refs/heads/${v1}`)).toBe("");
  expect(stateOf(session)).toMatchObject({ phase: "idle", files_touched: ["a"] });
  expect(readdirSync(join(repository.folder, ".git/keyframe/commit/prepared"))).toEqual([]);
});

test("a message that nobody writes still gives the commit up; one that is written keeps the trailer", async () => {
  const session = startAgentSession(repository, "s-8");
  await session.prompt("go");
  await session.write("a", "1\n");
  await session.stop();
  repository.git("add", "-A");
  editor("true");
  expect(() => commit()).toThrow(/empty commit message/);
  editor(`cp "$1" "$1.seen"; sed -i '1s/^/fix: written in the editor/' "$1"`);
  const ids = commit("-v");
  expect(ids).toHaveLength(1);
  expect(repository.git("log", "-1", "--format=%s")).toBe("fix: written in the editor");
  const seen = readFileSync(join(repository.folder, ".git/COMMIT_EDITMSG.seen"), "utf8");
  expect(seen).toMatch(/^\n\nEntire-Checkpoint: [0-9a-f]{12}\n\n# Keyframe found a conversation/);
});

test("an amend keeps the checkpoint, gets a lost trailer back, and adds new work to it", async () => {
  const session = startAgentSession(repository, "s-9");
  await session.prompt("first");
  await session.write("a", "1\n");
  session.say("ok");
  await session.stop();
  repository.git("add", "-A");
  const [id] = commit("-m", "linked");
  const tip = repository.git("rev-parse", v1);
  expect(commit("--amend", "--no-edit")).toEqual([id]);
  expect(commit("--amend", "-m", "another text")).toEqual([id]);
  expect(repository.git("rev-parse", v1)).toBe(tip);
  await session.prompt("second");
  await session.write("b", "2\n");
  session.say("ok");
  await session.stop();
  repository.git("add", "-A");
  expect(commit("--amend", "--no-edit")).toEqual([id]);
  expect(json(`${folderOf(id)}/0/metadata.json`)).toMatchObject({
    files_touched: ["a", "b"],
    checkpoints_count: 2,
  });
  expect(json(`${folderOf(id)}/metadata.json`).token_usage.api_call_count).toBe(4);
  expect(show(`${folderOf(id)}/0/prompt.txt`)).toContain("second");
  expect(commit("--allow-empty", "-m", "a commit of its own")).toEqual([]);
});

test("an amend whose trailer the user removes is unlinked for good, and its checkpoint stays as it was", async () => {
  const session = startAgentSession(repository, "s-21");
  await session.prompt("first");
  await session.write("a", "1\n");
  session.say("ok");
  await session.stop();
  repository.git("add", "-A");
  const [id] = commit("-m", "linked");
  const linked = repository.git("rev-parse", "HEAD");
  const tip = repository.git("rev-parse", v1);
  await session.write("b", "2\n");
  await session.stop();
  repository.git("add", "-A");
  editor(`sed -i '/^Entire-Checkpoint/d' "$1"`);
  expect(commit("--amend")).toEqual([]);
  expect(repository.git("log", "-1", "--format=%B").trim()).toBe("linked");
  expect(readdirSync(join(repository.folder, ".git/keyframe/commit/prepared"))).toEqual([]);
  expect(repository.git("rev-parse", v1)).toBe(tip);
  expect(commit("--amend", "-m", "another text")).toEqual([]);
  expect(commit("--amend", "--no-edit")).toEqual([]);
  repository.keyframe(["settle"]);
  expect(repository.git("rev-parse", v1)).toBe(tip);
  expect(repository.keyframe(["explain", id ?? ""]).stdout).toContain("first");
  // the lines of the amended commit are the session's all the same
  expect(repository.keyframe(["blame", "b"]).stdout).toContain("claude");
  repository.git("reset", "-q", "--hard", linked);
  expect(commit("--amend", "--no-edit")).toEqual([id]);
});

test("an amend that is given up in the editor changes no checkpoint, and its work waits", async () => {
  const session = startAgentSession(repository, "s-20");
  await session.prompt("first");
  await session.write("a", "1\n");
  session.say("ok");
  await session.stop();
  repository.git("add", "-A");
  const [id] = commit("-m", "linked");
  const tip = repository.git("rev-parse", v1);
  await session.write("b", "2\n");
  await session.stop();
  repository.git("add", "-A");
  editor("exit 1");
  expect(() => commit("--amend")).toThrow();
  repository.keyframe(["settle"]);
  expect(repository.git("rev-parse", v1)).toBe(tip);
  const [second] = commit("-m", "after all");
  expect(second).not.toBe(id);
  expect(json(`${folderOf(second)}/metadata.json`).files_touched).toEqual(["b"]);
  expect(readdirSync(join(repository.folder, ".git/keyframe/commit/prepared"))).toEqual([]);
});

test("worktrees that commit at the same time lose no checkpoint", async () => {
  const folders = [0, 1, 2, 3, 4].map((number) => join(repository.folder, `../w${number}`));
  for (const [number, folder] of folders.entries()) {
    repository.git("worktree", "add", "-q", folder);
    const session = startAgentSession({ ...repository, folder }, `w-${number}`);
    await session.prompt(`work in ${number}`);
    await session.write("own", `${number}\n`);
    await session.stop();
    repository.gitBytes(["add", "-A"], { cwd: folder });
  }
  await Promise.all(
    folders.map((cwd) =>
      promisify(execFile)("git", ["commit", "-qm", "at once"], { cwd, env: repository.env }),
    ),
  );
  const ids = folders.map((cwd) =>
    repository
      .gitBytes(["log", "-1", "--format=%(trailers:key=Entire-Checkpoint,valueonly)"], { cwd })
      .toString()
      .trim(),
  );
  for (const [number, id] of ids.entries()) {
    expect(json(`${folderOf(id)}/0/metadata.json`).session_id).toBe(`w-${number}`);
  }
  expect(repository.git("fsck", "--connectivity-only")).not.toMatch(/missing|broken/);
});

test("picks, reverts and rebases repeat their trailers and change no session", async () => {
  const session = startAgentSession(repository, "s-10");
  await session.prompt("go");
  await session.write("a", "1\n");
  session.say("ok");
  await session.stop();
  repository.git("add", "-A");
  const [id] = commit("-m", "linked");
  const state = stateOf(session);
  repository.git("checkout", "-q", "-b", "other", "HEAD~1");
  repository.write("z", "z\n");
  repository.commit("z");
  repository.git("cherry-pick", "main");
  expect(trailers()).toEqual([id]);
  repository.git("revert", "--no-edit", "HEAD");
  expect(trailers()).toEqual([]);
  repository.git("checkout", "-q", "main");
  repository.git("rebase", "-q", "other~2");
  expect(trailers()).toEqual([id]);
  expect({ ...stateOf(session), base_commit: "" }).toEqual({ ...state, base_commit: "" });
});

test("a squash names the checkpoints of all its commits, a merge none", async () => {
  const session = startAgentSession(repository, "s-11");
  repository.git("checkout", "-q", "-b", "topic");
  const ids: string[] = [];
  for (const name of ["a", "b"]) {
    await session.prompt(name);
    await session.write(name, `${name}\n`);
    await session.stop();
    repository.git("add", "-A");
    ids.push(...commit("-m", name));
  }
  repository.git("checkout", "-q", "main");
  repository.git("merge", "-q", "--squash", "topic");
  expect(new Set(commit("--no-edit"))).toEqual(new Set(ids));
  repository.git("reset", "-q", "--hard", "HEAD~1");
  repository.git("merge", "-q", "--no-ff", "--no-edit", "topic");
  expect(trailers()).toEqual([]);
});

test("two sessions in one commit share its checkpoint; one that has ended counts too, one without work does not", async () => {
  const one = startAgentSession(repository, "s-12");
  const two = startAgentSession(repository, "s-13");
  const idle = startAgentSession(repository, "s-14");
  for (const [session, files] of [
    [one, ["a", "b"]],
    [two, ["c"]],
  ] as const) {
    await session.prompt(`work on ${files.join(" and ")}`);
    for (const file of files) await session.write(file, `${file}\n`);
    session.say("ok");
    await session.stop();
  }
  await idle.prompt("only talk");
  idle.say("hm");
  await idle.stop();
  await two.end();
  repository.git("add", "-A");
  const [id] = commit("-m", "both");
  const root = json(`${folderOf(id)}/metadata.json`);
  expect(root).toMatchObject({
    files_touched: ["a", "b", "c"],
    checkpoints_count: 2,
    token_usage: { input_tokens: 50, output_tokens: 25, api_call_count: 5 },
    combined_attribution: { agent_lines: 3, agent_percentage: 100 },
  });
  expect(root.sessions).toHaveLength(2);
  const stored = [0, 1].map((index) => json(`${folderOf(id)}/${index}/metadata.json`).session_id);
  expect(new Set(stored)).toEqual(new Set(["s-12", "s-13"]));
  expect(stateOf(two).phase).toBe("ended");
});

test("what a subagent did lies under the call that started it", async () => {
  const session = startAgentSession(repository, "s-15");
  await session.prompt("delegate");
  const agents = join(session.transcriptPath.replace(/\.jsonl$/, ""), "subagents");
  mkdirSync(agents, { recursive: true });
  writeFileSync(
    join(agents, "agent-x1.jsonl"),
    `${JSON.stringify({
      type: "assistant",
      message: {
        id: "m",
        role: "assistant",
        content: [
          { type: "tool_use", id: "t", name: "Write", input: { file_path: join(repository.folder, "a") } },
        ],
        usage: { input_tokens: 7, output_tokens: 3 },
      },
    })}\n${JSON.stringify({ type: "user", message: { content: "token ghp_abcdefghijklmnopqrstuvwxyz0123456789" } })}\n`,
  );
  session.append(
    {
      type: "assistant",
      message: {
        id: "m-task",
        role: "assistant",
        content: [
          {
            type: "tool_use",
            id: "toolu_task",
            name: "Agent",
            input: { subagent_type: "general-purpose", description: "write a", prompt: "write a" },
          },
        ],
      },
    },
    {
      type: "user",
      toolUseResult: { agentId: "x1" },
      message: {
        role: "user",
        content: [{ type: "tool_result", tool_use_id: "toolu_task", content: "done" }],
      },
    },
  );
  await session.write("a", "1\n");
  session.say("ok");
  await session.stop();
  repository.git("add", "-A");
  const [id] = commit("-m", "delegated");
  expect(json(`${folderOf(id)}/tasks/toolu_task/task.json`)).toMatchObject({
    tool_use_id: "toolu_task",
    agent_id: "x1",
    subagent_type: "general-purpose",
    task_description: "write a",
    files: ["a"],
  });
  expect(show(`${folderOf(id)}/tasks/toolu_task/agent-x1.jsonl`)).toContain("REDACTED");
  expect(json(`${folderOf(id)}/metadata.json`).token_usage.subagent_tokens).toMatchObject({
    input_tokens: 7,
    api_call_count: 1,
  });
});

test("a session of another worktree is not linked, and commits with -a and with paths are", async () => {
  const other = join(repository.folder, "..", "other");
  repository.git("worktree", "add", "-q", other);
  const session = startAgentSession(repository, "s-16");
  await session.prompt("go");
  await session.write("README", "hello\nagent\n");
  await session.write("sub/deep", "x\n");
  await session.stop();
  writeFileSync(join(other, "README"), "hello\nagent\n");
  repository.gitBytes(["commit", "-qam", "same text elsewhere"], { cwd: other });
  expect(repository.gitBytes(["log", "-1", "--format=%B"], { cwd: other }).toString()).not.toContain(
    "Entire-",
  );
  expect(commit("-am", "with -a")).toHaveLength(1);
  repository.git("add", "-A");
  repository.gitBytes(["commit", "-qm", "one path", "--", "deep"], { cwd: join(repository.folder, "sub") });
  expect(trailers()).toHaveLength(1);
  expect(stateOf(session).worktree_id).toBeUndefined();
});

test("a disabled repository records no session and adds no trailer", async () => {
  expect(repository.keyframe(["disable"]).code).toBe(0);
  const session = startAgentSession(repository, "s-17", { through: "program" });
  await session.prompt("go");
  await session.write("a", "1\n");
  await session.stop();
  expect(existsSync(join(repository.folder, ".git/entire-sessions"))).toBe(false);
  repository.git("add", "-A");
  expect(commit("-m", "x")).toEqual([]);
});

test("hostile transcripts and states stop neither the agent nor the commit", async () => {
  const session = startAgentSession(repository, "s-18", { through: "program" });
  mkdirSync(join(repository.folder, ".git/entire-sessions"), { recursive: true });
  const statePath = join(repository.folder, ".git/entire-sessions/s-18.json");
  for (const content of [
    "",
    "[]",
    '{"session_id":7}',
    "{".repeat(5000),
    '{"session_id":"s-18","files_touched":{"a":1}}',
  ]) {
    writeFileSync(statePath, content);
    await session.prompt("go");
    await session.stop();
  }
  rmSync(statePath);
  await session.prompt("again");
  writeFileSync(
    session.transcriptPath,
    Buffer.concat([Buffer.from([0xff, 0xfe, 0]), Buffer.from('\n{"type":"assistant"')]),
  );
  session.append({
    type: "assistant",
    message: {
      id: "m",
      content: [{ type: "tool_use", id: "../../x", name: "Agent" }],
      usage: { input_tokens: -5, output_tokens: 1e300 },
    },
  });
  await session.write("a", "1\n");
  await session.stop();
  await session.hook("UserPromptSubmit", { session_id: "../../evil", prompt: "x" });
  expect(existsSync(join(repository.folder, ".git/evil.json"))).toBe(false);
  repository.git("add", "-A");
  expect(commit("-m", "still linked")).toHaveLength(1);
});

/** What git runs as the editor: shell text, `$1` is the message file. */
function editor(script: string): void {
  repository.env["GIT_EDITOR"] = `f() { ${script}; }; f`;
}
