// Covers src/cli/peers/**.
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { humanKey, sessionKey } from "../../src/authorship/note/keys.ts";
import { sha256Hex } from "../../src/base/digest.ts";
import { startAgentSession } from "../support/agent-session.ts";
import { createTestRepository, type TestRepository } from "../support/test-repository.ts";

let repository: TestRepository;
let home: string;

beforeEach(() => {
  repository = createTestRepository();
  home = repository.env["HOME"] ?? "";
});
afterEach(() => repository.remove());

const url = "https://example.com/team/a.git";

function put(path: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  chmodSync(path, mode);
}

const at = (path: string) => join(repository.folder, path);

/** Every file of the work tree, of git's hooks and of the home, with its bytes and mode. */
function snapshot(): Record<string, string> {
  const tops = [repository.folder, at(".git/hooks"), at(".git/info"), home];
  const entries = tops.flatMap((top) =>
    readdirSync(top, { recursive: true, encoding: "utf8" })
      // what runs keeps its compiled code in a cache, which holds nobody's settings
      .filter((name) => !/^\.cache(\/|$)/.test(name))
      .filter((name) => top !== repository.folder || !/^\.git(\/|$)/.test(name))
      .map((name): [string, string] => {
        const stat = lstatSync(join(top, name));
        const content = stat.isFile() ? readFileSync(join(top, name), "latin1") : "directory";
        return [join(top, name), `${(stat.mode & 0o777).toString(8)} ${content}`];
      }),
  );
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

interface Report {
  readonly peers: readonly { readonly name: string; readonly standing: string; readonly settings: string }[];
  readonly changes: readonly { readonly path: string; readonly action: string }[];
  readonly takenOver?: {
    readonly sessions: readonly string[];
    readonly lines: { readonly taken: readonly string[]; readonly left: readonly string[] };
  };
}

function run(...args: readonly string[]): Report {
  const result = repository.keyframe([...args, "--json"]);
  expect([result.stderr, result.code]).toEqual(["", 0]);
  return JSON.parse(result.stdout) as Report;
}

const standings = () => Object.fromEntries(run("status").peers.map(({ name, standing }) => [name, standing]));
const doctorPeers = () =>
  (
    JSON.parse(repository.keyframe(["doctor", "--json"]).stdout) as { peers: { subject: string }[] }
  ).peers.map(({ subject }) => subject);

/** A repository as `entire enable` leaves it: settings that are committed, git hooks, hooks of Claude Code. */
function setUpEntire(): void {
  repository.write(".entire/settings.json", '{\n  "enabled": true,\n  "strategy": "manual-commit"\n}\n');
  repository.write(".entire/.gitignore", "tmp/\nsettings.local.json\nmetadata/\nlogs/\n");
  const hook = (name: string) => ({
    matcher: "",
    hooks: [{ type: "command", command: `entire hooks claude-code ${name}` }],
  });
  const hooks = { SessionStart: [hook("session-start")], Stop: [hook("stop")] };
  repository.write(".claude/settings.json", `${JSON.stringify({ hooks }, null, 2)}\n`);
  repository.commit("set up");
  for (const name of ["prepare-commit-msg", "commit-msg", "post-commit", "pre-push"]) {
    const call = `command -v entire >/dev/null 2>&1 && entire hooks git ${name} "$@" 2>/dev/null || true`;
    put(at(`.git/hooks/${name}`), `#!/bin/sh\n# Entire CLI hooks\n${call}\n`, 0o755);
  }
}

/** A home as `git-ai install-hooks` leaves it. */
function setUpGitAi(): void {
  repository.write("README", "hello\n");
  repository.commit("start");
  repository.git("remote", "add", "origin", url);
  put(join(home, ".git-ai/config.json"), '{"prompt_storage":"local", "api_key": "k"}', 0o600);
  const command = `${home}/.git-ai/bin/git-ai checkpoint claude --hook-input stdin`;
  const entry = [{ matcher: "*", hooks: [{ type: "command", command }] }];
  put(
    join(home, ".claude/settings.json"),
    JSON.stringify({ hooks: { PreToolUse: entry, PostToolUse: entry } }),
  );
  put(join(home, ".gitconfig"), `[trace2]\n\teventTarget = af_unix:stream:${home}/.git-ai/internal/t.sock\n`);
}

test("Entire: said in plain words, switched off by its own setting, given back byte for byte", () => {
  setUpEntire();
  const before = snapshot();
  expect(standings()).toEqual({ entire: "on" });
  const said = repository.keyframe(["enable"]).stderr;
  expect(said).toContain("Entire records here too");
  expect(said).toContain("keyframe enable --take-over");
  expect(doctorPeers()).toEqual(["Entire"]);

  const settings = at(".entire/settings.local.json");
  const dry = run("enable", "--take-over", "--dry-run");
  expect(dry.changes.map(({ path, action }) => [path, action])).toEqual([[settings, "create"]]);
  expect(standings()).toEqual({ entire: "on" });
  expect(run("enable", "--take-over").changes).toEqual(dry.changes);
  expect(JSON.parse(readFileSync(settings, "utf8"))).toEqual({ enabled: false });
  expect(standings()).toEqual({ entire: "taken over" });
  expect(doctorPeers()).toEqual([]);
  expect(run("enable", "--take-over").changes).toEqual([]);
  expect(repository.git("status", "--short")).toBe("");

  expect(repository.keyframe(["disable"]).stderr).toContain("Entire stays switched off here");
  expect(repository.keyframe(["disable", "--uninstall"]).code).toBe(0);
  expect(snapshot()).toEqual(before);
  expect(standings()).toEqual({ entire: "on" });
});

test("Entire's personal settings that nothing ignores are kept out of git's sight", () => {
  setUpEntire();
  repository.git("rm", "-q", "--cached", ".entire/.gitignore");
  repository.git("commit", "-q", "-m", "no rules");
  put(at(".entire/.gitignore"), "tmp/\n");
  const before = [snapshot(), repository.git("status", "--short", "-uall")];
  run("enable", "--take-over");
  run("enable");
  expect(repository.git("status", "--short", "-uall")).toBe(before[1]);
  run("disable", "--uninstall");
  expect([snapshot(), repository.git("status", "--short", "-uall")]).toEqual(before);
});

test("settings of a peer that are committed are refused by name, and nothing is written", () => {
  setUpEntire();
  put(at(".entire/settings.local.json"), '{"enabled": true}\n');
  repository.git("add", "-f", ".entire/settings.local.json");
  const before = snapshot();
  const result = repository.keyframe(["enable", "--take-over"]);
  expect([result.code, result.stderr]).toEqual([
    4,
    expect.stringContaining(`${at(".entire/settings.local.json")} is committed`),
  ]);
  expect(snapshot()).toEqual(before);
  expect(repository.keyframe(["enable", "--take-over", "--global"]).code).toBe(2);
});

test("a session of Entire that is under way goes on, from where the conversation was last stored", async () => {
  setUpEntire();
  const session = startAgentSession(repository, "s-1");
  session.append(
    { type: "user", message: { role: "user", content: "stored before" } },
    { type: "user", message: { role: "user", content: "asked while Entire recorded" } },
  );
  const head = repository.git("rev-parse", "HEAD");
  const state = {
    session_id: "s-1",
    cli_version: "0.6.2",
    base_commit: head,
    attribution_base_commit: head,
    worktree_path: repository.folder,
    started_at: "2026-01-02T03:00:00Z",
    phase: "idle",
    checkpoint_count: 1,
    checkpoint_transcript_start: 1,
    agent_type: "Claude Code",
    transcript_path: session.transcriptPath,
    skill_events: [{ name: "kept" }],
  };
  put(at(".git/entire-sessions/s-1.json"), `${JSON.stringify(state, null, 2)}\n`, 0o600);
  expect(run("enable", "--take-over").takenOver).toMatchObject({ sessions: ["s-1"] });

  await session.prompt("asked since");
  await session.write("a.txt", "a\n");
  await session.stop();
  repository.git("add", "-A");
  repository.gitBytes(["commit", "-q", "-m", "a"]);
  const trailers = repository.git("log", "-1", "--format=%(trailers:key=Entire-Checkpoint,valueonly)").trim();
  expect(trailers).toMatch(/^[0-9a-f]{12}$/);
  const folder = `${trailers.slice(0, 2)}/${trailers.slice(2)}`;
  const show = (path: string) => repository.git("show", `entire/checkpoints/v1:${folder}/0/${path}`);
  expect(JSON.parse(show("metadata.json"))).toMatchObject({
    session_id: "s-1",
    checkpoint_transcript_start: 1,
  });
  expect(show("prompt.txt")).toContain("asked while Entire recorded");
  expect(show("prompt.txt")).not.toContain("stored before");
  const after = JSON.parse(readFileSync(at(".git/entire-sessions/s-1.json"), "utf8")) as object;
  expect(after).toMatchObject({ started_at: "2026-01-02T03:00:00Z", skill_events: [{ name: "kept" }] });
});

test("git-ai: switched off for this repository alone, its pending lines taken over, given back byte for byte", () => {
  setUpGitAi();
  const agent = { tool: "claude", id: "7f3c", model: "claude-sonnet-4-5" };
  const line = `${sessionKey(agent)}::t_4f0c2d9e17ab33`;
  const ann = "Ann Müller <ann@example.com>";
  const person = humanKey(ann);
  const log = at(`.git/ai/working_logs/${repository.git("rev-parse", "HEAD")}`);
  const look = (file: string, content: string, owners: readonly string[]) => {
    const ranges = owners.map((owner, at) => ({ start_line: at + 1, end_line: at + 1, author_id: owner }));
    const entry = { file, blob_sha: sha256Hex(content), attributions: [], line_attributions: ranges };
    const who = owners.includes(person)
      ? { kind: "KnownHuman", author: ann, agent_id: null }
      : { kind: "AiAgent", author: "claude", agent_id: agent };
    return `${JSON.stringify({ ...who, entries: [entry], timestamp: 1, api_version: "checkpoint/1.0.0" })}\n`;
  };
  const edited = "one\ntwo\n";
  put(
    join(log, "checkpoints.jsonl"),
    look("both.txt", "agent\n", [line]) +
      look("both.txt", "agent\nperson\n", [line, person]) +
      look("edited.txt", edited, [line, line]) +
      look("gone.txt", "content that nobody has\n", [line]),
  );
  put(join(log, "blobs", sha256Hex(edited)), edited);
  repository.write("both.txt", "agent\nperson\n");
  repository.write("edited.txt", "one\ntyped since\ntwo\n");
  repository.write("gone.txt", "something else\n");
  const before = snapshot();
  const logBefore = readFileSync(join(log, "checkpoints.jsonl"));

  expect(standings()).toEqual({ "git-ai": "on" });
  expect(repository.keyframe(["enable"]).stderr).toContain("git-ai records here too");
  expect(run("enable", "--take-over", "--dry-run").takenOver?.lines.taken).toEqual([
    "both.txt",
    "edited.txt",
  ]);
  const taken = run("enable", "--take-over");
  expect(taken.changes.map(({ path, action }) => [path, action])).toEqual([
    [join(home, ".git-ai/config.json"), "change"],
  ]);
  expect(taken.takenOver?.lines).toEqual({ taken: ["both.txt", "edited.txt"], left: ["gone.txt"] });
  expect(JSON.parse(readFileSync(join(home, ".git-ai/config.json"), "utf8"))).toEqual({
    prompt_storage: "local",
    api_key: "k",
    exclude_repositories: [url],
  });
  expect(standings()).toEqual({ "git-ai": "taken over" });
  // again takes nothing twice
  expect(run("enable", "--take-over").takenOver?.lines.taken).toEqual([]);

  repository.git("add", "-A");
  repository.gitBytes(["commit", "-q", "-m", "work"]);
  const note = repository.git("notes", "--ref=ai", "show", "HEAD");
  const [lines = ""] = note.split("\n---\n");
  expect(lines).toBe([`both.txt`, `  ${person} 2`, `  ${line} 1`, `edited.txt`, `  ${line} 1,3`].join("\n"));
  expect(JSON.parse(note.slice(note.indexOf("\n---\n") + 5))).toMatchObject({
    sessions: { [sessionKey(agent)]: { agent_id: agent } },
    humans: { [person]: { author: ann } },
  });

  run("disable", "--uninstall");
  expect(snapshot()).toEqual(before);
  expect(readFileSync(join(log, "checkpoints.jsonl"))).toEqual(logBefore);
  expect(standings()).toEqual({ "git-ai": "on" });
});

test("git-ai in a repository without a remote goes on, and that is said", () => {
  setUpGitAi();
  repository.git("remote", "remove", "origin");
  const result = repository.keyframe(["enable", "--take-over"]);
  expect(result.code).toBe(0);
  expect(result.stderr).toContain("git-ai goes on");
  expect(standings()).toEqual({ "git-ai": "on" });
});
