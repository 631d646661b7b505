// Covers src/agents/hooks/**, src/agents/settings/**.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { connectableAgents } from "../../src/agents/connectable-agents.ts";
import { agentAdapters, findAgentAdapter, hookProfiles } from "../../src/agents/hooks/registry.ts";
import { agentConnections } from "../../src/agents/settings/connections.ts";

const patch =
  "*** Begin Patch\n*** Add File: new.ts\n+x\n*** Update File: old name.ts\n*** Move to: moved.ts\n@@\n-a\n+b\n*** Delete File: gone.ts\n*** End Patch\n";

/** What each agent sends around an edit and around a shell call, in the fields of the version that was run. */
const calls: Readonly<
  Record<
    string,
    {
      readonly common: object;
      readonly event: (when: "before" | "after") => object;
      readonly word?: (when: "before" | "after") => string;
      readonly edit: object;
      readonly shell: object;
      readonly session: string;
      readonly call?: string;
      readonly model?: string;
    }
  >
> = {
  codex: {
    common: {
      session_id: "c-1",
      cwd: "/r",
      transcript_path: "/h/.codex/sessions/rollout-c-1.jsonl",
      model: "gpt-5.5",
    },
    event: (when) => ({ hook_event_name: when === "before" ? "PreToolUse" : "PostToolUse" }),
    edit: { tool_name: "apply_patch", tool_use_id: "call_1", tool_input: { command: patch } },
    shell: { tool_name: "Bash", tool_use_id: "call_1", tool_input: { command: "make" } },
    session: "c-1",
    call: "call_1",
    model: "gpt-5.5",
  },
  copilot: {
    common: { sessionId: "p-1", cwd: "/r", timestamp: 1 },
    event: () => ({}),
    word: (when) => (when === "before" ? "preToolUse" : "postToolUse"),
    edit: { toolName: "edit", toolArgs: { path: "/r/a.ts", old_str: "a", new_str: "b" } },
    shell: { toolName: "bash", toolArgs: { command: "make" } },
    session: "p-1",
  },
  gemini: {
    common: { session_id: "g-1", cwd: "/r", transcript_path: "/h/.gemini/tmp/r/chats/session-g-1.jsonl" },
    event: (when) => ({ hook_event_name: when === "before" ? "BeforeTool" : "AfterTool" }),
    edit: { tool_name: "replace", tool_input: { file_path: "/r/a.ts" } },
    shell: { tool_name: "run_shell_command", tool_input: { command: "make" } },
    session: "g-1",
  },
  qwen: {
    common: { session_id: "q-1", cwd: "/r", transcript_path: "/h/.qwen/projects/-r/chats/q-1.jsonl" },
    event: (when) => ({ hook_event_name: when === "before" ? "PreToolUse" : "PostToolUseFailure" }),
    edit: { tool_name: "write_file", tool_use_id: "toolu_1", tool_input: { file_path: "a.ts" } },
    shell: { tool_name: "run_shell_command", tool_use_id: "toolu_1", tool_input: { command: "make" } },
    session: "q-1",
    call: "toolu_1",
  },
  droid: {
    common: { session_id: "d-1", cwd: "/r", transcript_path: "/h/.factory/sessions/-r/d-1.jsonl" },
    event: (when) => ({ hook_event_name: when === "before" ? "PreToolUse" : "PostToolUse" }),
    edit: { tool_name: "Create", tool_input: { file_path: "/r/a.ts", content: "x" } },
    shell: { tool_name: "Execute", tool_input: { command: "make" } },
    session: "d-1",
  },
  auggie: {
    common: { conversation_id: "a-1", workspace_roots: ["/r"] },
    event: (when) => ({ hook_event_name: when === "before" ? "PreToolUse" : "PostToolUse" }),
    edit: { tool_name: "save-file", tool_input: { path: "a.ts", file_content: "x" } },
    shell: { tool_name: "launch-process", tool_input: { command: "make", cwd: "/r" } },
    session: "a-1",
  },
  kimi: {
    common: { session_id: "session_k", cwd: "/r", client_type: "kimi_code_cli" },
    event: (when) => ({ hook_event_name: when === "before" ? "PreToolUse" : "PostToolUse" }),
    edit: { tool_name: "Write", tool_call_id: "call_1", tool_input: { path: "/r/a.ts", content: "x" } },
    shell: { tool_name: "Bash", tool_call_id: "call_1", tool_input: { command: "make" } },
    session: "session_k",
    call: "call_1",
  },
  cline: {
    common: {
      clineVersion: "",
      taskId: "t",
      sessionContext: { rootSessionId: "l-1" },
      workspaceInfo: { rootPath: "/r" },
    },
    event: (when) => ({ hookName: when === "before" ? "tool_call" : "tool_result" }),
    edit: { tool_call: { id: "call_1", name: "editor", input: { path: "/r/a.ts", new_text: "x" } } },
    shell: { tool_call: { id: "call_1", name: "run_commands", input: { commands: ["make"] } } },
    session: "l-1",
    call: "call_1",
  },
  opencode: plugin("opencode", { filePath: "/r/a.ts" }),
  kilo: plugin("kilo", { filePath: "/r/a.ts" }),
  pi: plugin("pi", { path: "a.ts" }),
  cursor: {
    common: {
      conversation_id: "u-1",
      workspace_roots: ["/other", "/r"],
      cursor_version: "3",
      model: "claude-4.5-sonnet",
    },
    event: (when) => ({ hook_event_name: when === "before" ? "preToolUse" : "postToolUse" }),
    edit: { tool_name: "StrReplace", tool_use_id: "t1", tool_input: { path: "/r/a.ts" } },
    shell: { tool_name: "Shell", tool_use_id: "t1", tool_input: { command: "make" } },
    session: "u-1",
    call: "t1",
    model: "claude-4.5-sonnet",
  },
  "vscode-copilot": {
    common: { session_id: "v-1", cwd: "/r" },
    event: (when) => ({ hook_event_name: when === "before" ? "PreToolUse" : "PostToolUse" }),
    edit: {
      tool_name: "create_file",
      tool_use_id: "toolu_1__vscode-17",
      tool_input: { filePath: "/r/a.ts" },
    },
    shell: {
      tool_name: "run_in_terminal",
      tool_use_id: "toolu_1__vscode-17",
      tool_input: { command: "make" },
    },
    session: "v-1",
    call: "toolu_1__vscode-17",
  },
};

function plugin(name: string, input: object) {
  return {
    common: { keyframe_plugin: name, session_id: "s-1", cwd: "/r", model: "m" },
    event: (when: string) => ({ event: `${when}-tool` }),
    edit: { tool_name: "edit", tool_use_id: "c1", tool_input: input },
    shell: { tool_name: "bash", tool_use_id: "c1", tool_input: { command: "make" } },
    session: "s-1",
    call: "c1",
    model: "m",
  };
}

function parse(agent: string, when: "before" | "after", call: object) {
  const sent = calls[agent];
  const payload = { ...sent?.common, ...sent?.event(when), ...call };
  return findAgentAdapter(agent)?.parsePayload(payload, sent?.word?.(when));
}

describe.each(Object.entries(calls))("%s", (agent, sent) => {
  test("an edit is two events with one call id and the same files", () => {
    const before = parse(agent, "before", sent.edit);
    const after = parse(agent, "after", sent.edit);
    expect(after).toMatchObject({
      kind: "after-edit",
      agent: { tool: agent, id: sent.session, model: sent.model ?? "unknown" },
      ...(sent.call === undefined ? {} : { toolUseId: sent.call }),
    });
    const files = agent === "codex" ? ["new.ts", "old name.ts", "moved.ts", "gone.ts"] : ["a.ts"];
    expect(after).toMatchObject({
      paths: files.map((name) => `/r/${name}`),
      cwd: agent === "auggie" ? "/r" : "/r",
    });
    const plain = (event: object | undefined) => ({ ...event, kind: "edit", expected: undefined });
    expect(plain(before)).toEqual(plain(after));
  });

  test("a shell call is two events with one call id", () => {
    const before = parse(agent, "before", sent.shell);
    const after = parse(agent, "after", sent.shell);
    expect(before).toMatchObject({ kind: "before-shell", command: "make" });
    expect(after).toMatchObject({ ...before, kind: "after-shell" });
  });

  test("a tool that nobody knows may write, and one that reads is left out", () => {
    const named = (name: string) =>
      JSON.parse(
        JSON.stringify(sent.shell).replace(/("(?:tool_?name|name)":)"[^"]*"/i, `$1${JSON.stringify(name)}`),
      ) as object;
    expect(parse(agent, "before", named("mcp__new__thing"))).toMatchObject({ kind: "before-shell" });
    const profile = hookProfiles.find(({ name }) => name === agent);
    const [reading = ""] = profile?.tools.readOnly ?? [];
    // one that settles what came before it, where the hooks after calls are not waited for
    const kind = profile?.afterHooks === "late" ? "read-call" : "ignored";
    expect(parse(agent, "before", named(reading))).toMatchObject({ kind });
    expect(parse(agent, "after", named(reading))).toMatchObject({ kind: "ignored" });
  });

  test("its payloads are refused by the hook of every other agent", () => {
    if (agent === "auggie" || agent === "copilot") return; // nothing in them tells whose they are
    for (const adapter of agentAdapters) {
      if (adapter.name === agent || (agent === "vscode-copilot" && adapter.name === "copilot")) continue;
      const payload = { ...sent.common, ...sent.event("after"), ...sent.edit };
      expect([adapter.name, adapter.parsePayload(payload, "postToolUse").kind]).not.toEqual([
        adapter.name,
        "after-edit",
      ]);
    }
  });
});

test("Windsurf names the call by its event", () => {
  const adapter = findAgentAdapter("windsurf");
  const info = { cwd: "/r", file_path: "/r/main.rs", command: "make" };
  const payload = (name: string) => ({
    trajectory_id: "t",
    execution_id: "e",
    agent_action_name: name,
    model_name: "Unknown",
    tool_info: info,
  });
  expect(adapter?.parsePayload(payload("post_write_code"))).toMatchObject({
    kind: "after-edit",
    paths: ["/r/main.rs"],
    agent: { tool: "windsurf", id: "t", model: "unknown" },
  });
  expect(adapter?.parsePayload(payload("pre_run_command"))).toMatchObject({
    kind: "before-shell",
    toolUseId: "e",
  });
  expect(adapter?.parsePayload(payload("pre_read_code"))).toMatchObject({ kind: "ignored" });
});

test("Qwen's repeated prompt events say nothing new", () => {
  const adapter = findAgentAdapter("qwen");
  const payload = { session_id: "q", cwd: "/r", hook_event_name: "UserPromptSubmit", prompt: "do it" };
  expect(adapter?.parsePayload({ ...payload, submitted_prompt: "do it" })).toMatchObject({
    kind: "prompt",
    prompt: "do it",
  });
  expect(adapter?.parsePayload(payload)).toMatchObject({ kind: "ignored" });
});

test("Kimi's prompt is a list of blocks", () => {
  const payload = {
    session_id: "k",
    cwd: "/r",
    client_type: "kimi_code_cli",
    hook_event_name: "UserPromptSubmit",
  };
  const prompt = [{ type: "text", text: "first" }, { type: "image" }, { type: "text", text: "second" }];
  expect(findAgentAdapter("kimi")?.parsePayload({ ...payload, prompt })).toMatchObject({
    prompt: "first\nsecond",
  });
});

test("an edit whose tool names no file is looked at like a shell call", () => {
  expect(parse("droid", "before", { tool_name: "ApplyPatch", tool_input: "no patch" })).toMatchObject({
    kind: "before-shell",
  });
  expect(parse("droid", "before", { tool_name: "ApplyPatch", tool_input: patch })).toMatchObject({
    kind: "before-edit",
    paths: ["/r/new.ts", "/r/old name.ts", "/r/moved.ts", "/r/gone.ts"],
  });
});

test("what an edit leaves in a file is foretold where the payload tells it", () => {
  const expectedOf = (input: object, before: string | undefined) => {
    const event = parse("droid", "before", {
      tool_name: "Edit",
      tool_input: { file_path: "/r/a.ts", ...input },
    });
    return event?.kind === "before-edit" ? event.expected?.(before) : "not an edit";
  };
  expect(expectedOf({ content: "whole\n" }, undefined)).toBe("whole\n");
  expect(expectedOf({ old_str: "a", new_str: "$&b" }, "1 a 2\n")).toBe("1 $&b 2\n");
  expect(expectedOf({ old_str: "a", new_str: "b" }, "a a\n")).toBeUndefined();
  expect(expectedOf({ old_str: "a", new_str: "b", change_all: true }, "a a\n")).toBe("b b\n");
  expect(expectedOf({ old_str: "x", new_str: "b" }, "a\n")).toBeUndefined();
  expect(expectedOf({}, "a\n")).toBeUndefined();
});

test("no payload whatever makes an adapter throw", () => {
  for (const adapter of agentAdapters) {
    const sent = calls[adapter.name];
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (tool_input, tool_name) => {
        adapter.parsePayload({ ...sent?.common, ...sent?.event("before"), tool_name, tool_input });
      }),
      { numRuns: 50 },
    );
  }
});

test("the names for the command line are those of the connections", () => {
  expect(agentConnections.map(({ agent }) => agent)).toEqual(connectableAgents);
});
