import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { installClaude, isOffline, runClaude } from "../support/real-claude.ts";
import { type ModelBlock, startScriptedModel } from "../support/scripted-model.ts";
import { createTestRepository, type TestRepository } from "../support/test-repository.ts";

let program: string;
let repository: TestRepository;

const at = (path: string) => join(repository.folder, path);
const say = (text: string): ModelBlock => ({ type: "text", text });
const call = (name: string, input: object): ModelBlock => ({ type: "tool_use", name, input }) as ModelBlock;
const write = (path: string, content: string) => call("Write", { file_path: at(path), content });
const bash = (command: string) => call("Bash", { command, description: "run" });

async function prompt(text: string, replies: ModelBlock[][], resume?: string): Promise<string> {
  const model = await startScriptedModel([
    { marker: text, replies: [...replies, [say(`Done with ${text}.`)]] },
  ]);
  try {
    return await runClaude({
      program,
      modelUrl: model.url,
      cwd: repository.folder,
      env: repository.env,
      prompt: text,
      ...(resume === undefined ? {} : { resume }),
    });
  } finally {
    await model.close();
  }
}
const trailer = () =>
  repository.git("log", "-1", "--format=%(trailers:key=Entire-Checkpoint,valueonly)").trim();
const show = (id: string, path: string) =>
  repository.git("show", `entire/checkpoints/v1:${id.slice(0, 2)}/${id.slice(2)}/${path}`);

describe.skipIf(isOffline)("a conversation with the real Claude Code", () => {
  beforeAll(() => {
    program = installClaude();
  });
  beforeEach(() => {
    repository = createTestRepository();
    repository.write("old.txt", "old\n");
    repository.commit("before");
    expect(repository.keyframe(["enable"]).code).toBe(0);
  });
  afterEach(() => repository.remove());

  test("stands behind the agent's own commit and the person's, and is rewound with its files", async () => {
    const id = await prompt("FIRST", [
      [write("a.txt", "one\n")],
      [bash("echo two > b.txt && git add -A && git commit -qm 'by the agent'")],
    ]);
    const own = trailer();
    expect(own).toMatch(/^[0-9a-f]{12}$/);
    expect(JSON.parse(show(own, "metadata.json")).files_touched).toEqual(["a.txt", "b.txt"]);
    expect(show(own, "0/prompt.txt")).toBe("FIRST");
    // said after the commit, and there all the same: in the last of the transcript's chunks
    expect(repository.git("grep", "-l", "Done with FIRST.", "entire/checkpoints/v1")).toMatch(
      /full\.jsonl\.\d+$/,
    );

    expect(await prompt("SECOND", [[write("c.txt", "three\n")]], id)).toBe(id);
    repository.git("add", "-A");
    repository.git("commit", "-qm", "by a person");
    const theirs = trailer();
    expect(JSON.parse(show(theirs, "metadata.json")).files_touched).toEqual(["c.txt"]);
    expect(show(theirs, "0/prompt.txt")).toBe("SECOND");
    const metadata = JSON.parse(show(theirs, "0/metadata.json"));
    expect(metadata.checkpoint_transcript_start).toBeGreaterThan(0);
    // the first turn's answer came after its commit, so its tokens are counted here
    expect(metadata.token_usage.api_call_count).toBe(3);
    expect(metadata.initial_attribution).toMatchObject({ agent_lines: 1, agent_percentage: 100 });

    const points: { id: string; turn?: number }[] = JSON.parse(
      repository.keyframe(["rewind", "--list", "--json"]).stdout,
    );
    const first = points.find(({ turn }) => turn === 1);
    const rewound = JSON.parse(repository.keyframe(["rewind", "--to", first?.id ?? "", "--json"]).stdout);
    expect(existsSync(at("c.txt"))).toBe(false);
    expect(readFileSync(rewound.conversations[0].path, "utf8").includes("SECOND")).toBe(false);
    // the agent goes on from there
    expect(await prompt("THIRD", [[write("d.txt", "four\n")]], id)).toBe(id);
    expect(JSON.parse(repository.keyframe(["status", "--json"]).stdout).problems).toEqual([]);
  });
});
