import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type AgentSession, startAgentSession } from "../support/agent-session.ts";
import { bundleChildProgram, type ChildProgram } from "../support/child-program.ts";
import { faultPointsInSource } from "../support/fault-points.ts";
import { createTestRepository, type TestRepository } from "../support/test-repository.ts";

const publishing = [
  "build-checkpoint:before-store",
  "build-checkpoint:after-store-before-state",
  "build-checkpoint:after-state-before-remove",
];
const rewinding = [
  "rewind:after-index-before-tree",
  "rewind:after-snapshot-before-ref",
  "rewind:after-record",
  "rewind:after-removals",
  "rewind:before-check-out",
  "rewind:after-files",
  "rewind:before-conversation",
  "rewind:after-conversation",
];

/** Where only a rewind that moves HEAD comes by. */
const resetting = ["rewind:after-reset"];

let program: ChildProgram;
let repository: TestRepository;
let session: AgentSession;
beforeAll(() => {
  program = bundleChildProgram("test/checkpoints/capture-program.ts");
});
afterAll(() => program.remove());
beforeEach(async () => {
  repository = createTestRepository();
  repository.write("README", "hello\n");
  repository.commit("start");
  session = startAgentSession(repository, "c-1");
  await session.prompt("one");
  await session.write("a", "1\n");
  session.say("did one");
  await session.stop();
});
afterEach(() => repository.remove());

function run(step: string, argument: string, fault?: string) {
  const env = { ...repository.env, ...(fault === undefined ? {} : { KEYFRAME_FAULT: fault }) };
  return spawnSync(process.execPath, [program.path, repository.folder, step, argument], {
    env,
    encoding: "utf8",
  });
}
const at = (path: string) => join(repository.folder, path);
const read = (path: string) => readFileSync(at(path), "utf8");
const transcript = () => readFileSync(session.transcriptPath, "utf8");
const v1 = (path: string) => repository.git("show", `entire/checkpoints/v1:${path}`);
const trailer = () =>
  repository.git("log", "-1", "--format=%(trailers:key=Entire-Checkpoint,valueonly)").trim();
const folderOf = (id: string) => `${id.slice(0, 2)}/${id.slice(2)}`;
const state = () => JSON.parse(read(".git/entire-sessions/c-1.json"));
const prepared = () => {
  const folder = at(".git/keyframe/commit/prepared");
  return existsSync(folder) ? readdirSync(folder) : [];
};

test("the crash tests know every fault point of capture, condensation and rewind", () => {
  expect(faultPointsInSource("capture:", "build-checkpoint:", "rewind:")).toEqual(
    [
      "capture:after-transcript-before-record",
      "build-checkpoint:after-record-before-message",
      "build-checkpoint:after-finalize-before-state",
      ...publishing,
      ...rewinding,
      ...resetting,
      "rewind:undo-after-files",
    ].sort(),
  );
});

describe("a hook killed at a commit", () => {
  test("before the message names the checkpoint leaves a commit without trailer and its work for the next one", () => {
    repository.keyframe(["enable"]);
    repository.git("add", "-A");
    repository.env["KEYFRAME_FAULT"] = "build-checkpoint:after-record-before-message";
    repository.git("commit", "-qm", "killed");
    delete repository.env["KEYFRAME_FAULT"];
    expect(trailer()).toBe("");
    repository.keyframe(["settle"]);
    expect(prepared()).toEqual([]);
    repository.git("commit", "-q", "--amend", "--no-edit");
    expect(trailer()).toBe("");
    expect(repository.git("for-each-ref", "refs/heads/entire")).toBe("");
  });

  test.each(publishing)(
    "at %s leaves a trailer whose record is durable and stored once by the next command",
    (point) => {
      repository.keyframe(["enable"]);
      repository.git("add", "-A");
      repository.env["KEYFRAME_FAULT"] = point;
      repository.git("commit", "-qm", "linked");
      delete repository.env["KEYFRAME_FAULT"];
      const id = trailer();
      expect(prepared()).toEqual([`${id}.json`]);
      expect(repository.keyframe(["settle"]).code).toBe(0);
      expect(prepared()).toEqual([]);
      const root = JSON.parse(v1(`${folderOf(id)}/metadata.json`));
      expect(root).toMatchObject({
        files_touched: ["a"],
        checkpoints_count: 1,
        token_usage: { api_call_count: 2 },
      });
      expect(v1(`${folderOf(id)}/0/full.jsonl`)).toContain("did one");
      expect(state()).toMatchObject({ last_checkpoint_id: id, checkpoint_transcript_start: 4 });
      expect(run("finish", "").status).toBe(0);
      expect(repository.git("rev-list", "--count", "entire/checkpoints/v1")).toBe("2");
    },
  );

  test("an amend that adds work adds it once, though its hook was killed behind the store", async () => {
    repository.keyframe(["enable"]);
    repository.git("add", "-A");
    repository.git("commit", "-qm", "linked");
    const id = trailer();
    await session.prompt("two");
    await session.write("b", "2\n");
    session.say("did two");
    await session.stop();
    repository.git("add", "-A");
    repository.env["KEYFRAME_FAULT"] = "build-checkpoint:after-store-before-state";
    repository.git("commit", "-q", "--amend", "--no-edit");
    delete repository.env["KEYFRAME_FAULT"];
    repository.keyframe(["settle"]);
    const root = JSON.parse(v1(`${folderOf(id)}/metadata.json`));
    expect(root).toMatchObject({
      files_touched: ["a", "b"],
      checkpoints_count: 2,
      token_usage: { api_call_count: 4 },
    });
  });
});

describe("a hook killed at a turn's end", () => {
  const payload = (event: string) =>
    JSON.stringify({
      session_id: "c-1",
      transcript_path: session.transcriptPath,
      cwd: repository.folder,
      hook_event_name: event,
    });

  test("between transcript and record stores every line once", async () => {
    await session.prompt("two");
    session.say("did two");
    expect(run("stop", payload("Stop"), "capture:after-transcript-before-record").signal).toBe("SIGKILL");
    session.say("and more");
    await session.stop();
    const folder = at(".git/keyframe/capture");
    const stored = readFileSync(join(folder, readdirSync(folder)[0] ?? "", "transcript-1.jsonl"), "utf8");
    expect(stored).toBe(transcript());
  });

  test("after a checkpoint got its whole conversation finishes the same way again", async () => {
    repository.keyframe(["enable"]);
    await session.prompt("two");
    await session.write("b", "2\n");
    repository.git("add", "-A");
    repository.git("commit", "-qm", "mid-turn");
    const id = trailer();
    session.say("whole");
    expect(run("stop", payload("Stop"), "build-checkpoint:after-finalize-before-state").signal).toBe(
      "SIGKILL",
    );
    expect(state().turn_checkpoint_ids).toEqual([id]);
    const tip = repository.git("rev-parse", "entire/checkpoints/v1");
    await session.prompt("three");
    expect(repository.git("rev-parse", "entire/checkpoints/v1")).toBe(tip);
    expect(state().turn_checkpoint_ids).toBeUndefined();
    expect(v1(`${folderOf(id)}/0/full.jsonl`)).toContain("whole");
  });
});

describe("a rewind killed", () => {
  let points: { id: string; turn: number }[];
  let whole: string;
  beforeEach(async () => {
    await session.prompt("two");
    await session.write("a", "2\n");
    await session.write("made/two", "2\n");
    session.say("did two");
    await session.stop();
    points = JSON.parse(repository.keyframe(["rewind", "--list", "--json"]).stdout);
    repository.write("mine", "not in any turn\n");
    whole = transcript();
  });
  const first = () => points.find(({ turn }) => turn === 1)?.id ?? "";
  const unchanged = () => [read("a"), read("made/two"), read("mine"), transcript() === whole];

  test.each(rewinding)("at %s is taken back by undo, or finished by the same call", (point) => {
    expect(run("rewind", first(), point).signal).toBe("SIGKILL");
    const begun = !point.includes("index") && !point.includes("snapshot");
    if (begun) {
      const other = repository.keyframe(["rewind", "--to", points[0]?.id ?? ""]);
      expect([other.code, other.stderr]).toEqual([4, expect.stringContaining("--undo")]);
      expect(repository.keyframe(["rewind", "--undo"]).code).toBe(0);
    }
    expect(unchanged()).toEqual(["2\n", "2\n", "not in any turn\n", true]);
    run("rewind", first(), point);
    const again = run("rewind", first());
    expect([again.status, again.stderr]).toEqual([0, ""]);
    expect([read("a"), existsSync(at("made")), existsSync(at("mine"))]).toEqual(["1\n", false, false]);
    expect(transcript()).not.toContain("did two");
    expect(repository.keyframe(["rewind", "--undo"]).code).toBe(0);
    expect(unchanged()).toEqual(["2\n", "2\n", "not in any turn\n", true]);
  });

  test.each(["rewind:after-record", "rewind:after-files", ...resetting])(
    "that moves HEAD is taken back at %s, or finished by the same call",
    (point) => {
      repository.git("add", "a", "made");
      repository.git("commit", "-qm", "both");
      repository.git("add", "mine");
      const places = () => [repository.git("rev-parse", "main"), repository.git("ls-files", "-s")];
      const before = places();
      expect(run("reset", first(), point).signal).toBe("SIGKILL");
      const other = repository.keyframe(["rewind", "--to", first()]);
      expect([other.code, other.stderr]).toEqual([4, expect.stringContaining("--reset")]);
      expect(repository.keyframe(["rewind", "--undo"]).code).toBe(0);
      expect([places(), unchanged()]).toEqual([before, ["2\n", "2\n", "not in any turn\n", true]]);
      run("reset", first(), point);
      const again = run("reset", first());
      expect([again.status, again.stderr]).toEqual([0, ""]);
      expect(repository.git("log", "--format=%s").trim()).toBe("start");
      expect([read("a"), existsSync(at("mine"))]).toEqual(["1\n", false]);
      expect(repository.keyframe(["rewind", "--undo"]).code).toBe(0);
      expect([places(), unchanged()]).toEqual([before, ["2\n", "2\n", "not in any turn\n", true]]);
    },
  );

  test("while it is taken back is taken back by the next undo", () => {
    expect(run("rewind", first()).status).toBe(0);
    expect(run("undo", "", "rewind:undo-after-files").signal).toBe("SIGKILL");
    expect(run("undo", "").status).toBe(0);
    expect(unchanged()).toEqual(["2\n", "2\n", "not in any turn\n", true]);
  });

  test("a snapshot index that is damaged or locked by a killed git is made again", () => {
    writeFileSync(at(".git/keyframe/snapshot/index"), "not an index");
    writeFileSync(at(".git/keyframe/snapshot/index.lock"), "");
    expect(run("rewind", first()).status).toBe(0);
    expect(read("a")).toBe("1\n");
  });
});
