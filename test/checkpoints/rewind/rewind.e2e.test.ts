// Covers src/checkpoints/rewind/**, src/cli/rewind/**, src/cli/mark/**.
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type AgentSession, startAgentSession } from "../../support/agent-session.ts";
import { createTestRepository, type TestRepository } from "../../support/test-repository.ts";

let repository: TestRepository;
let session: AgentSession;
beforeEach(() => {
  repository = createTestRepository();
  repository.write("tracked", "v0\n");
  repository.write(".gitignore", ".env\nbuild/\n");
  repository.commit("start");
  session = startAgentSession(repository, "r-1");
});
afterEach(() => repository.remove());

const at = (path: string) => join(repository.folder, path);
const read = (path: string) => readFileSync(at(path), "utf8");
const transcript = () => readFileSync(session.transcriptPath, "utf8");
const points = (): { id: string; kind: string; label: string; turn: number }[] =>
  JSON.parse(repository.keyframe(["rewind", "--list", "--json"]).stdout);
const pointOf = (turn: number) => points().find((point) => point.turn === turn)?.id ?? "none";
function rewind(...args: string[]) {
  const result = repository.keyframe(["rewind", "--json", ...args]);
  expect([result.code, result.stderr]).toEqual([0, ""]);
  return JSON.parse(result.stdout);
}
async function turn(prompt: string, work: () => Promise<void> | void): Promise<void> {
  await session.prompt(prompt);
  await work();
  session.say(`did ${prompt}`);
  await session.stop();
}

test("each turn's files and conversation come back exactly, and undo brings back what was there", async () => {
  await turn("one", async () => {
    await session.write("tracked", "v1\n");
    await session.write("made/in/one", "1\n");
  });
  await turn("two", async () => {
    await session.write("tracked", "v2\n");
    await session.write("made/in/two", "2\n");
    await session.shell(() => rmSync(at("made/in/one")));
  });
  await turn("three", () => session.write("tracked", "v3\n"));
  repository.git("add", "tracked");
  const before = {
    transcript: transcript(),
    head: repository.git("rev-parse", "HEAD"),
    index: repository.git("ls-files", "-s"),
  };
  expect(points().map(({ turn: number }) => number)).toEqual([3, 2, 1, 0]);

  rewind("--to", pointOf(2));
  expect([read("tracked"), read("made/in/two"), existsSync(at("made/in/one"))]).toEqual([
    "v2\n",
    "2\n",
    false,
  ]);
  expect(
    transcript().endsWith(
      'did two"}],"usage":{"input_tokens":10,"output_tokens":5,"cache_read_input_tokens":100,"cache_creation_input_tokens":20}}}\n',
    ),
  ).toBe(true);
  const one = rewind("--to", pointOf(1));
  expect([read("tracked"), read("made/in/one"), existsSync(at("made/in/two"))]).toEqual([
    "v1\n",
    "1\n",
    false,
  ]);
  expect(one.continueWith).toEqual(["claude -r r-1"]);
  expect(one.files).toHaveLength(3);
  rewind("--to", pointOf(0));
  expect([read("tracked"), existsSync(at("made"))]).toEqual(["v0\n", false]);
  rewind("--undo");
  expect([read("tracked"), read("made/in/one")]).toEqual(["v1\n", "1\n"]);
  rewind("--to", pointOf(3));
  expect(repository.git("rev-parse", "HEAD")).toBe(before.head);
  expect(repository.git("ls-files", "-s")).toBe(before.index);
  expect(read("tracked")).toBe("v3\n");
});

test("undo gives the conversation back to the byte, and undoing that rewinds again", async () => {
  await turn("one", () => session.write("a", "1\n"));
  await turn("two", () => session.write("a", "2\n"));
  const whole = transcript();
  rewind("--to", pointOf(1));
  const cut = transcript();
  expect(whole.startsWith(cut) && cut.length < whole.length).toBe(true);
  rewind("--undo");
  expect([transcript(), read("a")]).toEqual([whole, "2\n"]);
  rewind("--undo");
  expect([transcript(), read("a")]).toEqual([cut, "1\n"]);
});

test("after a rewind and a commit the checkpoint holds only what was said up to there", async () => {
  repository.keyframe(["enable"]);
  await turn("first wish", () => session.write("a", "1\n"));
  await turn("second wish", () => session.write("a", "2\n"));
  rewind("--to", pointOf(1));
  repository.git("add", "a");
  repository.git("commit", "-qm", "first only");
  const id = repository.git("log", "-1", "--format=%(trailers:key=Entire-Checkpoint,valueonly)").trim();
  const folder = `entire/checkpoints/v1:${id.slice(0, 2)}/${id.slice(2)}/0`;
  expect(repository.git("show", `${folder}/prompt.txt`)).toBe("first wish");
  expect(repository.git("show", `${folder}/full.jsonl`)).not.toContain("second wish");
});

test("modes, links, filters and odd names are exact; ignored files are never touched", async () => {
  repository.write(".gitattributes", "*.crlf text eol=crlf\n");
  repository.write("a.crlf", "x\r\ny\r\n");
  repository.commit("attributes");
  await turn("one", () =>
    session.shell(() => {
      repository.write("run.sh", "#!/bin/sh\n");
      chmodSync(at("run.sh"), 0o755);
      symlinkSync("tracked", at("link"));
      repository.write('ünï "quoted"\n name', "odd\n");
      repository.write(".env", "SECRET=1\n");
    }),
  );
  await turn("two", () =>
    session.shell(() => {
      chmodSync(at("run.sh"), 0o644);
      rmSync(at("link"));
      writeFileSync(at("link"), "a file now\n");
      repository.write("a.crlf", "changed\r\n");
      rmSync(at('ünï "quoted"\n name'));
      repository.write(".env", "SECRET=2\n");
      rmSync(at("tracked"));
      mkdirSync(at("tracked"));
      writeFileSync(at("tracked/inside"), "x\n");
      repository.write("build/out", "ignored\n");
    }),
  );
  const untouched = statSync(at(".gitignore")).mtimeMs;
  const inSubfolder = repository.keyframe(["rewind", "--to", pointOf(1), "--files"], { cwd: at("tracked") });
  expect([inSubfolder.code, inSubfolder.stderr]).toEqual([0, ""]);
  expect(lstatSync(at("run.sh")).mode & 0o777).toBe(0o755);
  expect(readlinkSync(at("link"))).toBe("tracked");
  expect(read("a.crlf")).toBe("x\r\ny\r\n");
  expect(read('ünï "quoted"\n name')).toBe("odd\n");
  expect(read("tracked")).toBe("v0\n");
  expect([read(".env"), read("build/out")]).toEqual(["SECRET=2\n", "ignored\n"]);
  expect(statSync(at(".gitignore")).mtimeMs).toBe(untouched);
  expect(transcript()).toContain("did two");
});

test("what is in the way and in no snapshot is kept, and said", async () => {
  await turn("one", () => session.write("build.txt", "file\n"));
  await turn("two", () =>
    session.shell(() => {
      rmSync(at("build.txt"));
      mkdirSync(at("build.txt/build"), { recursive: true });
      writeFileSync(at("build.txt/build/out"), "ignored work\n");
    }),
  );
  const plan = rewind("--to", pointOf(1), "--files");
  expect(plan.kept).toEqual([{ path: "build.txt", why: "a directory with other files is in the way" }]);
  expect(read("build.txt/build/out")).toBe("ignored work\n");
});

test("a checkpoint brings back its commit's files and its conversation, and keeps untracked files", async () => {
  repository.keyframe(["enable"]);
  await turn("one", () => session.write("a", "1\n"));
  repository.git("add", "a");
  repository.git("commit", "-qm", "one");
  await turn("two", () => session.write("a", "2\n"));
  repository.write("mine", "untracked\n");
  const checkpoint = points().find(({ kind }) => kind === "checkpoint");
  const dry = repository.keyframe(["rewind", "--to", checkpoint?.id ?? "", "--dry-run"]);
  expect(dry.stdout).toContain("a");
  expect(read("a")).toBe("2\n");
  const plan = rewind("--to", checkpoint?.id ?? "");
  expect([read("a"), read("mine")]).toEqual(["1\n", "untracked\n"]);
  expect(plan.kept).toEqual([{ path: "mine", why: "untracked" }]);
  expect(transcript()).not.toContain("did two");
  rewind("--undo");
  expect([read("a"), transcript().includes("did two")]).toEqual(["2\n", true]);
});

test("an id that is unknown or a repository without points is told", async () => {
  const unknown = repository.keyframe(["rewind", "--to", "ffffffffffff"]);
  expect([unknown.code, unknown.stderr]).toEqual([
    3,
    expect.stringContaining("rewind point not found: ffffffffffff"),
  ]);
  expect(repository.keyframe(["rewind"]).stderr).toContain("nothing to go back to yet");
  expect(repository.keyframe(["rewind", "--undo"]).code).toBe(3);
});

test("conversation alone leaves the files; the files alone leave the conversation, and undo does the same", async () => {
  await turn("one", () => session.write("a", "1\n"));
  await turn("two", () => session.write("a", "2\n"));
  const whole = transcript();
  rewind("--to", pointOf(1), "--conversation");
  expect([read("a"), transcript() === whole]).toEqual(["2\n", false]);
  repository.write("a", "by hand since\n");
  rewind("--undo");
  expect([read("a"), transcript()]).toEqual(["by hand since\n", whole]);
});

test("a conversation is not cut while its agent is in the middle of a turn; files alone are rewound", async () => {
  await turn("one", () => session.write("a", "1\n"));
  await turn("two", () => session.write("a", "2\n"));
  const to = pointOf(1);
  await session.prompt("three");
  const whole = transcript();
  const refused = repository.keyframe(["rewind", "--to", to]);
  expect([refused.code, refused.stderr]).toEqual([4, expect.stringContaining("in the middle of a turn")]);
  expect([read("a"), transcript()]).toEqual(["2\n", whole]);
  rewind("--to", to, "--files");
  expect([read("a"), transcript()]).toEqual(["1\n", whole]);
  // its agent is gone without a word
  expect(repository.keyframe(["session", "stop", session.id]).code).toBe(0);
  rewind("--to", to);
  expect(transcript()).not.toContain("did two");
});

test("a turn whose agent is gone does not keep its conversation from being rewound", async () => {
  await turn("one", () => session.write("a", "1\n"));
  await turn("two", () => session.write("a", "2\n"));
  await session.prompt("three");
  const mark = join(repository.folder, ".git/keyframe/at-work", session.id);
  writeFileSync(mark, readFileSync(mark, "utf8").replace(/"pid":\d+/, '"pid":999999999'));
  rewind("--to", pointOf(1));
  expect([read("a"), transcript().includes("did two")]).toEqual(["1\n", false]);
});

test("any commit can be gone back to by a revision, and a mark by its title; undo brings everything back", async () => {
  repository.write("tracked", "v1\n");
  repository.commit("second");
  repository.write("untracked", "mine\n");
  const before = { head: repository.git("rev-parse", "HEAD"), index: repository.git("ls-files", "-s") };
  expect(repository.keyframe(["mark", "a title"]).code).toBe(0);
  rewind("--to", "HEAD~1");
  expect([read("tracked"), read("untracked")]).toEqual(["v0\n", "mine\n"]);
  expect({ head: repository.git("rev-parse", "HEAD"), index: repository.git("ls-files", "-s") }).toEqual(
    before,
  );
  rewind("--undo");
  expect(read("tracked")).toBe("v1\n");
  repository.write("untracked", "changed\n");
  rewind("--to", "a title");
  expect(read("untracked")).toBe("mine\n");
  expect(repository.keyframe(["rewind", "--to", "no-such-branch"]).stderr).toContain(
    "rewind point not found",
  );
});
