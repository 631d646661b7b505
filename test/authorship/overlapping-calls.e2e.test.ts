import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { findAgentAdapter } from "../../src/agents/hooks/registry.ts";
import { closeCalls } from "../../src/authorship/record/close-calls.ts";
import { observe } from "../../src/authorship/record/observe.ts";
import { stateHuman } from "../../src/authorship/record/state-human.ts";
import { mustFindRepository } from "../../src/git/repository.ts";
import { nodeMachine } from "../../src/system/machine/machine.ts";
import {
  type AuthorshipRepo,
  agentA,
  agentB,
  makeAuthorshipRepo,
  nodeObserveDeps,
} from "../support/authorship-repo.ts";

let repo: AuthorshipRepo;
beforeEach(async () => {
  repo = makeAuthorshipRepo();
  repo.write("f", "one", "two", "three");
  repo.write("g", "g1");
  await repo.commit();
});
afterEach(() => repo.remove());

interface Told {
  readonly endedByMs?: number;
}

/** What a hook of the agent takes in, with its real adapter. */
function tell(name: string, payload: object, { endedByMs }: Told = {}): void {
  const adapter = findAgentAdapter(name);
  const event = adapter?.parsePayload({ cwd: repo.folder, ...payload });
  if (adapter === undefined || event === undefined || event.kind === "refused")
    throw new Error(`the payload was not read: ${JSON.stringify(event)}`);
  if (event.kind === "ignored") return;
  const told = endedByMs === undefined ? event : { ...event, endedByMs };
  closeCalls(told, adapter, nodeObserveDeps);
  observe(told, nodeObserveDeps);
}

/** Calls of OpenCode's kind: named, and each one's end is told. */
const opencode = (session: string, call: string, tool: object) => ({
  keyframe_plugin: "opencode",
  session_id: session,
  model: "m-1",
  tool_use_id: call,
  ...tool,
});
const editOf = (path: string, oldString: string, newString: string) => ({
  tool_name: "edit",
  tool_input: { filePath: repo.path(path), oldString, newString },
});
const bash = { tool_name: "bash", tool_input: { command: "make" } };
const before = { event: "before-tool" };
const after = { event: "after-tool" };

/** A letter for each line: `B` for the agent that is told of, `A` for the one beside it, `U` for nobody. */
async function owners(path: string): Promise<string> {
  await repo.commit();
  return repo.blame(path);
}

describe("two calls in one message", () => {
  test("an edit that landed before the shell's first look belongs to the edit", async () => {
    const edit = opencode("session-a", "e1", editOf("f", "two", "two better"));
    tell("opencode", { ...edit, ...before });
    repo.write("f", "one", "two better", "three");
    tell("opencode", { ...opencode("session-a", "s1", bash), ...before });
    repo.write("g", "g1", "by the shell");
    tell("opencode", { ...opencode("session-a", "s1", bash), ...after });
    tell("opencode", { ...edit, ...after });
    expect([await owners("f"), repo.blame("g")]).toEqual(["UBU", "UB"]);
  });

  test("an edit whose call does not tell what it writes is found when it ends", async () => {
    const patch = "*** Begin Patch\n*** Update File: f\n@@\n-two\n+two better\n*** End Patch\n";
    const edit = opencode("session-a", "e1", { tool_name: "apply_patch", tool_input: { patchText: patch } });
    tell("opencode", { ...edit, ...before });
    repo.write("f", "one", "two better", "three");
    tell("opencode", { ...opencode("session-a", "s1", bash), ...before });
    tell("opencode", { ...edit, ...after });
    tell("opencode", { ...opencode("session-a", "s1", bash), ...after });
    expect(await owners("f")).toBe("UBU");
  });

  describe("an edit that was refused, of which no hook tells the end", () => {
    const patch = "*** Begin Patch\n*** Update File: f\n@@\n-two\n+two better\n*** End Patch\n";
    const refused = opencode("session-a", "e1", {
      tool_name: "apply_patch",
      tool_input: { patchText: patch },
    });
    const shell = opencode("session-a", "s1", bash);

    test.each([
      ["what a person writes before the next shell call is nobody's", ["typed"], ["typed"], "UUUU"],
      [
        "nor is what the call adds to it: it is not told apart",
        ["typed"],
        ["typed", "by the shell"],
        "UUUUU",
      ],
      ["what only the shell call writes is its", [], ["by the shell"], "UUUB"],
    ])("%s", async (_title, typed, then, expected) => {
      tell("opencode", { ...refused, ...before });
      if (typed.length > 0) repo.write("f", "one", "two", "three", ...typed);
      tell("opencode", { ...shell, ...before });
      if (then.length > typed.length) repo.write("f", "one", "two", "three", ...then);
      tell("opencode", { ...shell, ...after });
      expect(await owners("f")).toBe(expected);
    });
  });

  test("what stands in the file before the shell's look and is not what the edit writes is nobody's", async () => {
    const edit = opencode("session-a", "e1", editOf("f", "two", "two better"));
    tell("opencode", { ...edit, ...before });
    repo.write("f", "one", "two", "three", "typed by a person");
    tell("opencode", { ...opencode("session-a", "s1", bash), ...before });
    repo.write("f", "one", "two better", "three", "typed by a person");
    tell("opencode", { ...edit, ...after });
    tell("opencode", { ...opencode("session-a", "s1", bash), ...after });
    expect(await owners("f")).toBe("UBUU");
  });
});

describe("calls of two conversations at once", () => {
  test("an edit that landed before another's shell call ended is not that shell's", async () => {
    const edit = opencode("session-a", "e1", editOf("f", "two", "two better"));
    repo.shellBegins("s1", agentA);
    tell("opencode", { ...edit, ...before });
    repo.write("f", "one", "two better", "three");
    repo.shellEnds("s1", agentA);
    tell("opencode", { ...edit, ...after });
    expect(await owners("f")).toBe("UBU");
  });

  test("where the edit does not tell what it writes, a shell call of another that ends first is not credited", async () => {
    repo.shellBegins("s1", agentB);
    repo.agentBegins("f");
    repo.write("f", "one", "two better", "three");
    repo.shellEnds("s1", agentB);
    repo.agentReports("f");
    expect(await owners("f")).toBe("UUU");
  });

  test("two edits of one file that overlap: each has its own lines, or they are nobody's", async () => {
    const first = opencode("session-a", "e1", editOf("f", "one", "one by the first"));
    const second = opencode("session-b", "e2", editOf("f", "three", "three by the second"));
    tell("opencode", { ...first, ...before });
    tell("opencode", { ...second, ...before });
    repo.write("f", "one by the first", "two", "three");
    repo.write("f", "one by the first", "two", "three by the second");
    tell("opencode", { ...first, ...after });
    tell("opencode", { ...second, ...after });
    expect(await owners("f")).toBe("BUU");
  });

  test("the word of a person takes nothing that a call is just writing", async () => {
    const edit = opencode("session-a", "e1", editOf("f", "two", "two better"));
    const open = opencode("session-a", "e2", { tool_name: "patch", tool_input: { path: repo.path("g") } });
    tell("opencode", { ...edit, ...before });
    tell("opencode", { ...open, ...before });
    repo.write("f", "one", "two better", "three");
    repo.write("g", "g1", "just written");
    expect(stateHuman(mustFindRepository(repo.folder, nodeMachine), nodeObserveDeps)).toEqual([]);
    tell("opencode", { ...edit, ...after });
    tell("opencode", { ...open, ...after });
    expect([await owners("f"), repo.blame("g")]).toEqual(["UBU", "UB"]);
  });
});

describe("a subagent beside the agent that started it", () => {
  const qwen = (call: string, more: object = {}) => ({
    hook_event_name: "PreToolUse",
    session_id: "session-a",
    tool_name: "run_shell_command",
    tool_use_id: call,
    tool_input: { command: "make" },
    ...more,
  });
  const sub = { agent_id: "general-purpose-1" };

  test("what its shell call has written when the agent's own call begins is its", async () => {
    tell("qwen", qwen("sub-1", sub));
    repo.write("g", "g1", "by the subagent");
    tell("qwen", qwen("main-1"));
    tell("qwen", qwen("main-1", { hook_event_name: "PostToolUse" }));
    tell("qwen", qwen("sub-1", { ...sub, hook_event_name: "PostToolUse" }));
    expect(await owners("g")).toBe("UB");
  });

  test("the end of the agent's turn leaves its calls open, and credits nobody for what it may no longer do", async () => {
    tell("qwen", qwen("sub-1", sub));
    tell("qwen", qwen("sub-2", sub));
    tell("qwen", { hook_event_name: "Stop", session_id: "session-a" });
    repo.write("g", "g1", "typed by a person");
    repo.agentEdit("f", () => repo.write("f", "one", "two by A", "three"), agentA);
    tell("qwen", qwen("main-1", { hook_event_name: "PreToolUse", session_id: "session-c" }));
    repo.write("f", "one", "two by A", "three by the subagent");
    tell("qwen", qwen("sub-1", { ...sub, hook_event_name: "PostToolUse" }));
    expect(await owners("g")).toBe("UU");
  });

  test("its end settles what it left open", async () => {
    const edit = {
      tool_name: "edit",
      tool_input: { file_path: repo.path("f"), old_string: "two", new_string: "2" },
    };
    tell("qwen", qwen("sub-1", { ...sub, ...edit }));
    repo.write("f", "one", "2", "three");
    tell("qwen", { hook_event_name: "SubagentStop", session_id: "session-a", ...sub });
    appendFileSync(repo.path("f"), "typed by a person\n");
    expect(await owners("f")).toBe("UBUU");
  });
});

test("a model that the agent's transcript named only after its calls is told of their lines", async () => {
  const early = { ...agentA, model: "unknown" };
  repo.agentEdit("f", () => repo.write("f", "one", "two by A", "three"), early);
  observe({ kind: "session-end", agent: agentA, cwd: repo.folder }, nodeObserveDeps);
  expect(await owners("f")).toBe("UAU");
  expect(repo.note()).toContain(`"model": "${agentA.model}"`);
});

test("a model that the agent's transcript names only after the last hook is told of the lines", async () => {
  const transcriptPath = join(repo.folder, ".git", "events.jsonl");
  writeFileSync(transcriptPath, '{"type":"session.start","data":{}}\n');
  const event = { agent: { tool: "copilot", id: "c", model: "unknown" }, cwd: repo.folder, transcriptPath };
  const call = { ...event, toolUseId: "t", toolName: "edit", paths: [join(repo.folder, "f")] };
  observe({ ...call, kind: "before-edit" }, nodeObserveDeps);
  repo.write("f", "one", "two by it", "three");
  observe({ ...call, kind: "after-edit" }, nodeObserveDeps);
  appendFileSync(transcriptPath, '{"type":"tool.execution_complete","data":{"model":"gpt-late"}}\n');
  await repo.commit();
  expect(repo.note()).toContain('"model": "gpt-late"');
});

describe("an agent that does not wait for the hook after its call", () => {
  const kimi = (call: string, tool: object) => ({
    client_type: "kimi_code_cli",
    session_id: "session-a",
    hook_event_name: "PreToolUse",
    tool_call_id: call,
    ...tool,
  });
  const ended = { hook_event_name: "PostToolUse" };
  const edit = () => ({
    tool_name: "Edit",
    tool_input: { path: repo.path("f"), old_string: "two", new_string: "two by the agent" },
  });
  const shell = { tool_name: "Bash", tool_input: { command: "make" } };
  const readCall = () => ({ tool_name: "Read", tool_input: { path: repo.path("f") } });

  test("is credited with what the call was to leave, and with nothing that a person added before the hook", async () => {
    tell("kimi", kimi("e1", edit()));
    repo.write("f", "one", "two by the agent", "three", "typed before the hook");
    tell("kimi", { ...kimi("e1", edit()), ...ended }, { endedByMs: Date.now() });
    expect(await owners("f")).toBe("UBUU");
  });

  test("has a new file split in the same way", async () => {
    const made = { tool_name: "Write", tool_input: { path: repo.path("new"), content: "one\n" } };
    tell("kimi", kimi("w1", made));
    repo.write("new", "one", "typed before the hook");
    tell("kimi", { ...kimi("w1", made), ...ended }, { endedByMs: Date.now() });
    expect(await owners("new")).toBe("BU");
  });

  test("has the model of an edit that its next call settled from its transcript, if no hook knew it", async () => {
    const transcript = join(repo.folder, ".git", "wire.jsonl");
    writeFileSync(transcript, "");
    const adapter = findAgentAdapter("kimi");
    const next = { ...kimi("r1", readCall()), cwd: repo.folder };
    const event = adapter?.parsePayload(next);
    if (adapter === undefined || event === undefined || !("agent" in event))
      throw new Error("it is not read");
    tell("kimi", kimi("e1", edit()));
    repo.write("f", "one", "two by the agent", "three");
    closeCalls({ ...event, transcriptPath: transcript }, adapter, nodeObserveDeps);
    writeFileSync(transcript, '{"type":"llm.request","model":"k-late"}\n');
    expect(await owners("f")).toBe("UBU");
    expect(repo.note()).toContain('"model": "k-late"');
  });

  test("has its edit settled by its next call, one that only reads too, and the hook that comes then adds nothing", async () => {
    tell("kimi", kimi("e1", edit()));
    repo.write("f", "one", "two by the agent", "three");
    tell("kimi", kimi("r1", readCall()));
    const hookStart = Date.now();
    repo.write("f", "one", "two by the agent", "three", "typed by a person");
    tell("kimi", { ...kimi("e1", edit()), ...ended }, { endedByMs: hookStart });
    expect(await owners("f")).toBe("UBUU");
  });

  test("has nothing of what was written after its command had ended", async () => {
    tell("kimi", kimi("s1", shell));
    repo.write("g", "g1", "by the shell");
    tell("kimi", kimi("r1", readCall()));
    await delay(20);
    const hookStart = Date.now();
    await delay(20);
    repo.write("f", "one", "two", "three", "typed by a person");
    tell("kimi", kimi("r2", readCall()));
    tell("kimi", { ...kimi("s1", shell), ...ended }, { endedByMs: hookStart });
    expect([await owners("g"), repo.blame("f")]).toEqual(["UB", "UUUU"]);
  });

  test("has what a command did that was still running when another call began", async () => {
    tell("kimi", kimi("s1", shell));
    tell("kimi", kimi("r1", readCall()));
    repo.write("g", "g1", "by the shell");
    tell("kimi", { ...kimi("s1", shell), ...ended }, { endedByMs: Date.now() + 1 });
    expect(await owners("g")).toBe("UB");
  });

  test("has nothing of what came after the last look at a command whose end is never told", async () => {
    tell("kimi", kimi("s1", shell));
    repo.write("g", "g1", "by the shell");
    tell("kimi", kimi("r1", readCall()));
    repo.write("f", "one", "two", "three", "typed by a person");
    tell("kimi", { ...kimi("x", {}), hook_event_name: "Stop" });
    expect([await owners("g"), repo.blame("f")]).toEqual(["UB", "UUUU"]);
  });
});
