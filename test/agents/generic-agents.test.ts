import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { agentV1Adapter } from "../../src/agents/hooks/agent-v1.ts";
import { knownHumanAdapter } from "../../src/agents/hooks/known-human.ts";
import { agentAdapters, findAgentAdapter } from "../../src/agents/hooks/registry.ts";

describe("agent-v1", () => {
  const parse = (payload: unknown) => agentV1Adapter.parsePayload(payload);
  const agent = { agent_name: "x", model: "m", conversation_id: "c" };

  test("human is the state before an edit, with the editor's unsaved texts", () => {
    const payload = {
      type: "human",
      repo_working_dir: "/r",
      will_edit_filepaths: ["/r/a", "b"],
      dirty_files: { b: "text" },
    };
    expect(parse(payload)).toEqual({
      kind: "untracked-edit",
      announces: "unnamed",
      cwd: "/r",
      paths: ["/r/a", "/r/b"],
      buffers: new Map([["/r/b", "text"]]),
    });
  });

  test("ai_agent is the state after it", () => {
    const payload = {
      type: "ai_agent",
      repo_working_dir: "/r",
      edited_filepaths: ["/r/a"],
      ...agent,
      dirty_files: {},
    };
    expect(parse(payload)).toEqual({
      kind: "after-edit",
      agent: { tool: "x", id: "c", model: "m" },
      cwd: "/r",
      toolUseId: "unnamed",
      toolName: "edit",
      paths: ["/r/a"],
    });
  });

  test("shell commands are a pair with one call id", () => {
    const payload = { repo_working_dir: "/r", ...agent, tool_use_id: "t", command: "make" };
    const call = {
      agent: { tool: "x", id: "c", model: "m" },
      cwd: "/r",
      toolUseId: "t",
      toolName: "shell",
      command: "make",
    };
    expect(parse({ type: "pre_shell_command", ...payload })).toEqual({ kind: "before-shell", ...call });
    expect(parse({ type: "post_shell_command", ...payload })).toEqual({ kind: "after-shell", ...call });
  });

  test.each([
    ["an unknown type", { type: "robot", repo_working_dir: "/r" }],
    ["no type", { repo_working_dir: "/r" }],
    ["a relative folder", { type: "human", repo_working_dir: "r" }],
    ["an agent without a conversation", { type: "ai_agent", repo_working_dir: "/r", agent_name: "x" }],
    ["a shell call without an id", { type: "pre_shell_command", repo_working_dir: "/r", ...agent }],
    ["files that are no list", { type: "human", repo_working_dir: "/r", will_edit_filepaths: "a" }],
    ["a list with a number", { type: "human", repo_working_dir: "/r", will_edit_filepaths: [1] }],
    [
      "too many files",
      { type: "human", repo_working_dir: "/r", will_edit_filepaths: Array(10_001).fill("a") },
    ],
    ["unsaved texts that are numbers", { type: "human", repo_working_dir: "/r", dirty_files: { a: 1 } }],
    ["unsaved texts that are a list", { type: "human", repo_working_dir: "/r", dirty_files: ["a"] }],
  ])("%s is refused with a reason", (_, payload) => {
    expect(parse(payload)).toEqual({ kind: "refused", why: expect.stringMatching(/\S/) });
  });
});

describe("known_human", () => {
  test("names the editor, the saved files and their texts", () => {
    expect(
      knownHumanAdapter.parsePayload({
        editor: "vscode",
        editor_version: "1.99.0",
        extension_version: "0.4.1",
        cwd: "/r",
        edited_filepaths: ["/r/a.ts"],
        dirty_files: { "/r/a.ts": "text" },
      }),
    ).toEqual({
      kind: "known-human-edit",
      cwd: "/r",
      paths: ["/r/a.ts"],
      editor: { name: "vscode", version: "1.99.0", extensionVersion: "0.4.1" },
      buffers: new Map([["/r/a.ts", "text"]]),
    });
  });

  test("without a list of files is refused", () => {
    expect(knownHumanAdapter.parsePayload({ cwd: "/r" })).toMatchObject({ kind: "refused" });
  });
});

test("every adapter is found by its name and throws on no JSON value", () => {
  for (const adapter of agentAdapters) {
    expect(findAgentAdapter(adapter.name)).toBe(adapter);
    fc.assert(fc.property(fc.jsonValue(), (value) => void adapter.parsePayload(value)));
  }
  expect(findAgentAdapter("nobody")).toBeUndefined();
});
