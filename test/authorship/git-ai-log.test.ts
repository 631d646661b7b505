// Covers src/authorship/note/**, src/authorship/takeover/**.
import { describe, expect, test } from "vitest";
import { humanKey, sessionKey } from "../../src/authorship/note/keys.ts";
import { claimedRuns, parseGitAiLog } from "../../src/authorship/takeover/git-ai-log.ts";
import { sha256Hex } from "../../src/base/digest.ts";

const agent = { tool: "claude", id: "7f3c", model: "claude-sonnet-4-5" };
const session = sessionKey(agent);
const line = `${session}::t_4f0c2d9e17ab33`;
const ann = "Ann Müller <ann@example.com>";

const range = (start: number, end: number, owner: string) => ({
  start_line: start,
  end_line: end,
  author_id: owner,
  overrode: null,
});
const look = (content: string, ranges: readonly object[], more: object = {}) =>
  JSON.stringify({
    kind: "AiAgent",
    diff: "0".repeat(64),
    author: "claude",
    entries: [{ file: "a.txt", blob_sha: sha256Hex(content), attributions: [], line_attributions: ranges }],
    timestamp: 1787212800,
    agent_id: agent,
    api_version: "checkpoint/1.0.0",
    ...more,
  });
const person = { kind: "KnownHuman", author: ann, agent_id: null };

describe("the working log of git-ai", () => {
  test("the newest look at a path counts, with the owners that earlier looks describe", () => {
    const content = "test\nhuman\n";
    const checkpoints = [
      look("test\n", [range(1, 1, line)]),
      look(content, [range(1, 1, line), range(2, 2, humanKey(ann))], person),
    ].join("\n");
    const [claim, ...others] = parseGitAiLog({ checkpoints, initial: undefined });
    expect(others).toEqual([]);
    expect(claim).toMatchObject({
      path: "a.txt",
      digest: sha256Hex(content),
      agents: { [session]: agent },
      humans: { [humanKey(ann)]: ann },
    });
    expect(claim && claimedRuns(claim, 3)).toEqual([
      [1, line],
      [1, humanKey(ann)],
      [1, null],
    ]);
  });

  test("what was carried over counts where nothing was seen since, and only with its content's digest", () => {
    const initial = JSON.stringify({
      files: { "b.txt": [range(1, 3, line)], "c.txt": [range(1, 1, line)], "a.txt": [range(1, 9, line)] },
      prompts: {},
      file_blobs: { "b.txt": sha256Hex("b"), "a.txt": sha256Hex("old") },
      humans: {},
      sessions: { [session]: { agent_id: agent } },
    });
    const claims = parseGitAiLog({ checkpoints: look("a\n", [range(1, 1, line)]), initial });
    expect(claims.map(({ path, digest }) => [path, digest])).toEqual([
      ["b.txt", sha256Hex("b")],
      ["a.txt", sha256Hex("a\n")],
    ]);
  });

  test.each([
    ["torn", `${look("a\n", [range(1, 1, line)]).slice(0, 80)}`],
    ["of another version", look("a\n", [range(1, 1, line)], { api_version: "checkpoint/2.0.0" })],
    ["with keys of an older form", look("a\n", [range(1, 1, "0123456789abcdef")])],
    ["of nobody", look("a\n", [range(1, 1, "human")])],
    [
      "of a session that it does not describe",
      look("a\n", [range(1, 1, "s_00000000000000::t_00000000000000")]),
    ],
    ["of a person that it does not name", look("a\n", [range(1, 1, "h_00000000000000")])],
    ["with lines that are none", look("a\n", [range(0, 1, line), range(3, 2, line), range(1.5, 2, line)])],
    ["with a path that leaves", look("a\n", [range(1, 1, line)]).replace("a.txt", "../a.txt")],
    ["with a digest that is none", look("a\n", [range(1, 1, line)]).replace(sha256Hex("a\n"), "../../x")],
    ["no objects", '5\n[]\nnull\n"x"\n{"entries": 5, "api_version": "checkpoint/1.0.0"}'],
  ])("lines that are %s say nothing", (_, checkpoints) => {
    expect(parseGitAiLog({ checkpoints, initial: "{" })).toEqual([]);
  });

  test("ranges beyond the content end with it", () => {
    const [claim] = parseGitAiLog({
      checkpoints: look("a\n", [range(1, 2 ** 40, line)]),
      initial: undefined,
    });
    expect(claim && claimedRuns(claim, 1)).toEqual([[1, line]]);
    expect(claim && claimedRuns(claim, 0)).toEqual([]);
  });
});
