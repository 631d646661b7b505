// Covers src/cli/doctor/**.
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { nodeProcessTable } from "../../src/system/process/process-table.ts";
import { type AgentSession, startAgentSession } from "../support/agent-session.ts";
import { idOf, smallCheckpoint, writeOptions } from "../support/small-checkpoints.ts";
import { makeSyncedClones, type SyncedClones } from "../support/synced-clones.ts";
import { createTestRepository, keyframeProgram, type TestRepository } from "../support/test-repository.ts";
import { makeZombie } from "../support/zombie.ts";

let repository: TestRepository;
let clones: SyncedClones | undefined;
beforeEach(() => {
  repository = createTestRepository();
  repository.write("a", "1\n");
  repository.commit("one");
  repository.keyframe(["enable"]);
});
afterEach(async () => {
  repository.remove();
  await clones?.close();
  clones = undefined;
});

const point = "journal:after-append-before-head";

interface Row {
  readonly kind: string;
  readonly subject: string;
  readonly repair: string;
  readonly repairable: boolean;
}
interface Doctor {
  readonly locks: readonly Row[];
  readonly journal: readonly Row[];
  readonly sessions: readonly Row[];
  readonly checkpoints: readonly Row[];
  readonly remotes: readonly Row[];
  readonly repaired: number;
}
const doctor = (...flags: string[]) => {
  const { stdout, code } = repository.keyframe(["doctor", "--json", ...flags]);
  return { ...(JSON.parse(stdout) as Doctor), code };
};
const sessions = (found: Doctor) => found.sessions.map(({ kind, subject }) => [kind, subject]);
const phase = (id: string) =>
  (JSON.parse(repository.keyframe(["session", "show", id, "--json"]).stdout) as { phase: string }).phase;
/** Every file of the repository with its content's time, but not the traces of our own looking. */
const everything = () =>
  readdirSync(join(repository.folder, ".git"), { recursive: true, encoding: "utf8" })
    .filter((name) => !name.includes("keyframe/trace"))
    .map((name) => `${name} ${statSync(join(repository.folder, ".git", name)).mtimeMs}`)
    .sort();

async function workOf(id: string, path: string): Promise<AgentSession> {
  const agent = startAgentSession(repository, id);
  await agent.prompt(`write ${path}`);
  await agent.write(path, `by ${id}\n`);
  agent.say("done");
  return agent;
}

/** A prompt from an agent whose process is gone when this answers. */
function promptFromKilledAgent(id: string): void {
  const payload = JSON.stringify({
    session_id: id,
    transcript_path: join(repository.folder, `../home/.claude/projects/x/${id}.jsonl`),
    cwd: repository.folder,
    hook_event_name: "UserPromptSubmit",
    prompt: "write",
  });
  const program = `require("child_process").spawnSync(process.execPath, [${JSON.stringify(keyframeProgram)}, "hook", "claude"], { input: ${JSON.stringify(payload)} })`;
  const result = spawnSync(process.execPath, ["-e", program], {
    cwd: repository.folder,
    env: repository.env,
  });
  expect(result.status).toBe(0);
}

test("looking changes nothing, and where all is well it says so", async () => {
  await (await workOf("s", "b")).stop();
  repository.commit("with a conversation");
  const before = everything();
  expect(repository.keyframe(["doctor"])).toMatchObject({ code: 0, stdout: "all is well\n" });
  expect(repository.keyframe(["doctor", "--remote"])).toMatchObject({ code: 0, stdout: "all is well\n" });
  expect(everything()).toEqual(before);
});

test("locks of hooks that were killed and never reaped are named and freed, with what they began finished", async () => {
  const post = {
    session_id: "s",
    transcript_path: join(repository.folder, "../home/.claude/projects/x/s.jsonl"),
    cwd: repository.folder,
    tool_name: "Write",
    tool_input: { file_path: join(repository.folder, "b") },
    tool_use_id: "call",
  };
  for (const event of ["PreToolUse", "PostToolUse"] as const) {
    const payload = join(repository.folder, ".git/payload.json");
    writeFileSync(payload, JSON.stringify({ ...post, hook_event_name: event }));
    const command = `exec ${process.execPath} ${keyframeProgram} hook claude <${payload}`;
    const env = { ...repository.env, ...(event === "PostToolUse" ? { KEYFRAME_FAULT: point } : {}) };
    const zombie = await makeZombie(command, { cwd: repository.folder, env });
    onTestFinished(() => zombie.end());
    repository.write("b", "by an agent\n");
  }
  const other = join(repository.folder, ".git/entire-sessions/x.json.lock");
  mkdirSync(join(other, ".."), { recursive: true });
  writeFileSync(other, JSON.stringify({ pid: 4194305, startedAt: "1", bootId: "" }));
  const journalLock = join(repository.folder, ".git/keyframe/journal/lock");
  const found = doctor();
  expect(found.locks.map(({ kind, subject }) => [kind, subject])).toEqual([
    ["left lock", journalLock],
    ["left lock", other],
  ]);
  expect(found.code).toBe(1);
  expect(doctor("--repair")).toMatchObject({ locks: [], code: 0 });
  expect([existsSync(journalLock), existsSync(other)]).toEqual([false, false]);
  expect(repository.keyframe(["status"]).stdout).toMatch(/b .*1 line/);
});

test("what cannot be repaired is no success: a repair that fails, and a lock that is held for long", async () => {
  const lock = join(repository.folder, ".git/keyframe/settle.lock");
  mkdirSync(join(lock, ".."), { recursive: true });
  writeFileSync(lock, JSON.stringify(nodeProcessTable.self()));
  expect(doctor("--repair").code).toBe(0);
  const longAgo = new Date(Date.now() - 3600_000);
  utimesSync(lock, longAgo, longAgo);
  const found = doctor("--repair");
  expect([found.locks.map(({ kind, subject }) => [kind, subject]), found.code]).toEqual([
    [["held lock", lock]],
    1,
  ]);
  expect(repository.keyframe(["doctor"]).stdout).toContain(`process ${process.pid} (`);
});

test("a session whose agent was killed is stuck, and repairing it loses nothing of its work", async () => {
  const alive = await workOf("alive", "b");
  promptFromKilledAgent("killed");
  const before = everything();
  expect(sessions(doctor())).toEqual([["stuck session", "killed"]]);
  expect(everything()).toEqual(before);
  expect(repository.keyframe(["doctor"]).stdout).toMatch(
    /^session +killed: stuck session: .* is gone\n +`keyframe doctor --repair` or `keyframe session stop killed`/m,
  );
  const repaired = doctor("--repair");
  expect([sessions(repaired), repaired.repaired]).toEqual([[], 1]);
  expect([phase("killed"), phase("alive")]).toEqual(["ended", "active"]);
  await alive.stop();
  repository.commit("b");
  expect(repository.git("log", "-1", "--format=%B")).toContain("Entire-Checkpoint:");
});

test("a turn that nobody knows the process of is stuck after a day without a word, and so is a mark without a turn", async () => {
  const agent = await workOf("silent", "b");
  const mark = join(repository.folder, ".git/keyframe/at-work/silent");
  writeFileSync(mark, "");
  writeFileSync(`${mark.slice(0, -"silent".length)}left-over`, "");
  expect(sessions(doctor())).toEqual([["stuck session", "left-over"]]);
  const path = join(repository.folder, ".git/entire-sessions/silent.json");
  const state = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
  const longAgo = new Date(Date.now() - 2 * 24 * 60 * 60 * 1000);
  for (const key of ["started_at", "last_interaction_time"]) state[key] = longAgo.toISOString();
  writeFileSync(path, JSON.stringify(state));
  // the agent still writes its transcript
  expect(sessions(doctor())).toEqual([["stuck session", "left-over"]]);
  utimesSync(agent.transcriptPath, longAgo, longAgo);
  expect(sessions(doctor())).toEqual([
    ["stuck session", "silent"],
    ["stuck session", "left-over"],
  ]);
  expect(sessions(doctor("--repair"))).toEqual([]);
  expect(phase("silent")).toBe("ended");
  expect(readdirSync(join(repository.folder, ".git/keyframe/at-work"))).toEqual([]);
});

test("a state that cannot be read is damage, named with its file and left as it is", () => {
  const path = join(repository.folder, ".git/entire-sessions/odd.json");
  promptFromKilledAgent("odd");
  writeFileSync(path, '{"session_id":');
  const found = doctor("--repair");
  expect([sessions(found), found.code]).toEqual([[["unreadable state", "odd"]], 5]);
  expect(found.sessions[0]?.repair).toContain(path);
  expect(readFileSync(path, "utf8")).toBe('{"session_id":');
});

test("a trailer whose checkpoint was only prepared is mended from that; one of which nothing is left is only told", async () => {
  repository.git("commit", "-q", "--allow-empty", "-m", `x\n\nEntire-Checkpoint: ${idOf(7)}`);
  await (await workOf("s", "b")).stop();
  repository.env["KEYFRAME_FAULT"] = "build-checkpoint:before-store";
  repository.commit("killed behind the commit");
  delete repository.env["KEYFRAME_FAULT"];
  const id = /Entire-Checkpoint: (\S+)/.exec(repository.git("log", "-1", "--format=%B"))?.[1];
  const dangling = (found: Doctor) => found.checkpoints.map((row) => [row.subject, row.repairable]);
  expect(dangling(doctor())).toEqual([
    [id, true],
    [idOf(7), false],
  ]);
  expect(dangling(doctor("--repair"))).toEqual([[idOf(7), false]]);
  expect(repository.keyframe(["explain", id ?? ""]).stdout).toContain("write b");
});

test("a record that cannot be read is written anew from a store that has it whole", async () => {
  await (await workOf("s", "b")).stop();
  repository.commit("with a conversation");
  expect(repository.keyframe(["migrate", "--to", "v2"]).code).toBe(0);
  const id = /Entire-Checkpoint: (\S+)/.exec(repository.git("log", "-1", "--format=%B"))?.[1] ?? "";
  const branch = "refs/heads/entire/checkpoints/v1";
  const sound = repository.git("rev-parse", `${branch}^{tree}`);
  damage(`${id.slice(0, 2)}/${id.slice(2)}/0/metadata.json`, branch);
  const found = doctor();
  expect([found.checkpoints.map((row) => [row.kind, row.subject, row.repairable]), found.code]).toEqual([
    [["unreadable record", id, true]],
    5,
  ]);
  expect(doctor("--repair")).toMatchObject({ checkpoints: [], code: 0 });
  // v2 does not keep everything that v1 does: what counts is that it can be read, with the same transcript
  expect(repository.keyframe(["explain", id]).stdout).toContain("write b");
  const transcript = `${id.slice(0, 2)}/${id.slice(2)}/0/full.jsonl`;
  expect(repository.git("rev-parse", `${branch}:${transcript}`)).toBe(
    repository.git("rev-parse", `${sound}:${transcript}`),
  );
});

function damage(path: string, branch: string): void {
  const env = { ...repository.env, GIT_INDEX_FILE: join(repository.folder, ".git/damage-index") };
  const git = (args: readonly string[], input = "") =>
    repository.gitBytes(args, { env, input }).toString("utf8").trim();
  const blob = git(["hash-object", "-w", "--stdin"], "{ broken");
  git(["read-tree", branch]);
  git(["update-index", "--add", "--cacheinfo", `100644,${blob},${path}`]);
  git(["update-ref", branch, git(["commit-tree", "-m", "broken", "-p", branch, git(["write-tree"])])]);
}

test("with --remote it fetches what is missing and joins what has no history in common; without, no remote is asked", async () => {
  clones = await makeSyncedClones({ over: "folder" });
  const [a, b] = [clones.clone("a"), clones.clone("b")];
  await a.stores.v1.write(
    [smallCheckpoint(idOf(1), { sessionId: "one", transcript: ["{}\n"] })],
    writeOptions,
  );
  a.commit(`Work\n\nEntire-Checkpoint: ${idOf(1)}`);
  a.sh("push", "-q", "origin", "HEAD:main");
  expect(a.keyframe("push").code).toBe(0);
  b.sh("pull", "-q", "origin", "main");
  await b.stores.v1.write(
    [smallCheckpoint(idOf(2), { sessionId: "two", transcript: ["{}\n"] })],
    writeOptions,
  );
  const found = (...flags: string[]) => {
    const json = JSON.parse(b.keyframe("doctor", "--json", ...flags).stdout) as Doctor;
    return [json.checkpoints, json.remotes].map((rows) => rows.map(({ kind }) => kind));
  };
  expect(found()).toEqual([["dangling trailer"], []]);
  expect(found("--repair")).toEqual([["dangling trailer"], []]);
  expect(found("--remote")).toEqual([["dangling trailer"], ["not pushed"]]);
  const branch = "entire/checkpoints/v1";
  b.sh("fetch", "-q", "origin", `+${branch}:refs/remotes/origin/${branch}`);
  // read from the remote's copy already
  expect(found()).toEqual([[], ["disconnected"]]);
  const before = clones.remote("rev-parse", branch);
  expect(found("--repair")).toEqual([[], ["disconnected"]]);
  expect(clones.remote("rev-parse", branch)).toBe(before);
  expect(found("--remote", "--repair")).toEqual([[], []]);
  expect(clones.remote("rev-list", branch).split("\n")).toContain(before);
  expect(clones.remote("ls-tree", "-r", "--name-only", branch)).toContain(
    `${idOf(2).slice(0, 2)}/${idOf(2).slice(2)}/`,
  );
});
