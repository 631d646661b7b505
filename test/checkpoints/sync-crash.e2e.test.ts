import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { gatherSessions } from "../../src/checkpoints/resume/gather-sessions.ts";
import { resolveRemote } from "../../src/git/remote/remote.ts";
import { faultPointsInSource } from "../support/fault-points.ts";
import { conversation, idOf, smallCheckpoint, writeOptions } from "../support/small-checkpoints.ts";
import { type Clone, makeSyncedClones, type SyncedClones } from "../support/synced-clones.ts";
import { noteText } from "../support/test-repository.ts";

const text = conversation(2000);
let opened: SyncedClones;
let b: Clone;
let head: string;
/** What the server and `b` hold before anything is killed, for each test anew. */
let before: string;

beforeAll(async () => {
  opened = await makeSyncedClones({ over: "folder" });
  const a = opened.clone("a");
  b = opened.clone("b");
  head = a.sh("rev-parse", "HEAD");
  await a.stores.v1.write([smallCheckpoint(idOf(1), { sessionId: "one", transcript: [text] })], writeOptions);
  a.sh("notes", "--ref=ai", "add", "-m", noteText({ a: ["s_1 1-3"] }), head);
  a.sh("checkout", "-q", "-b", "feature");
  a.commit(`Work\n\nEntire-Checkpoint: ${idOf(1)}`);
  a.sh("push", "-q", "origin", "feature");
  expect(a.keyframe("push").code).toBe(0);
  await b.stores.v1.write([smallCheckpoint(idOf(2), { sessionId: "two", transcript: [text] })], writeOptions);
  b.sh("notes", "--ref=ai", "add", "-m", noteText({ b: ["s_1 4-5"] }), head);
  before = mkdtempSync(join(tmpdir(), "kf-sync-before-"));
  for (const name of changed) cpSync(join(opened.root, name), join(before, name), { recursive: true });
});
afterAll(async () => {
  await opened.close();
  rmSync(before, { recursive: true, force: true });
});
beforeEach(() => {
  for (const name of [...changed, "c", "home-c"])
    rmSync(join(opened.root, name), { recursive: true, force: true });
  for (const name of changed) cpSync(join(before, name), join(opened.root, name), { recursive: true });
});

const changed = ["served", "b", "home-b"];

const points = [
  "fetch:after-adopt-before-tips",
  "fetch:before-adopt",
  "fetch:before-notes-merge",
  "fetch:before-notes-ref",
  "fetch:while-adopting",
  "fetch:while-adopting:2",
  "fetch:while-adopting:3",
  "fetch:while-adopting:4",
  "push:after-push-before-record",
  "push:before-join",
  "push:before-push",
  "resume:after-checkout",
  "resume:before-checkout",
  "resume:before-rename",
  "resume:before-transcript",
];

test("the list of fault points is complete", () => {
  const named = new Set(points.map((point) => point.replace(/:\d$/, "")));
  expect([...named]).toEqual(faultPointsInSource("fetch:", "push:", "resume:"));
});

test.each(points)("killed at %s, doing it again ends where it would have ended", async (point) => {
  const steps = [["fetch"], ["resume", "feature"], ["push"]];
  b.env["KEYFRAME_FAULT"] = point;
  const ends = steps.map((step) => b.keyframe(...step).code);
  expect(ends).toContain(-1);
  expect(b.sh("fsck", "--no-dangling")).toBe("");
  delete b.env["KEYFRAME_FAULT"];
  for (const step of steps) {
    const result = b.keyframe(...step);
    expect([step[0], result.code, result.stderr]).toEqual([step[0], 0, expect.anything()]);
  }
  const project = join(b.home, ".claude/projects", b.folder.replace(/[^A-Za-z0-9]/g, "-"));
  expect(readFileSync(join(project, "one.jsonl"), "utf8")).toBe(text);
  expect(b.sh("branch", "--show-current")).toBe("feature");
  const note = b.sh("notes", "--ref=ai", "show", head);
  expect([note.includes("s_1 1-3"), note.includes("s_1 4-5")]).toEqual([true, true]);
  expect(opened.remote("rev-parse", "refs/notes/ai")).toBe(b.sh("rev-parse", "refs/notes/ai"));
  const incoming = join(b.folder, ".git/keyframe/incoming");
  expect(existsSync(incoming) ? readdirSync(incoming) : []).toEqual([]);
  expect(b.sh("fsck", "--no-dangling")).toBe("");
  const c = opened.clone("c");
  const { sessions } = await gatherSessions(c.context, await resolveRemote(c.git), [idOf(1), idOf(2)]);
  expect(new Set(sessions.map(({ metadata }) => metadata.sessionId))).toEqual(new Set(["one", "two"]));
  expect(sessions).toHaveLength(2);
});
