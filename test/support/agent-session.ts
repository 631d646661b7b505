import { appendFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { claudeAdapter } from "../../src/agents/hooks/claude.ts";
import { observe } from "../../src/authorship/record/observe.ts";
import { advanceSession, isSessionEvent } from "../../src/checkpoints/sessions/events.ts";
import { onTurnEvent } from "../../src/checkpoints/turn/on-turn-event.ts";
import { hookDeps } from "../../src/cli/hooks/hook-deps.ts";
import { openGit } from "../../src/git/git.ts";
import { mustFindRepository } from "../../src/git/repository.ts";
import { nodeMachine } from "../../src/system/machine/machine.ts";
import type { TestRepository } from "./test-repository.ts";

/**
 * A conversation with Claude Code as its hooks and its transcript tell it: each step does what the hook does that
 * Claude Code would call, and writes the lines that it would write. `program`: through the built program, a process for
 * each hook; otherwise in this process, which is faster.
 */
export interface AgentSession {
  readonly id: string;
  readonly transcriptPath: string;
  prompt(text: string): Promise<void>;
  /** An edit tool's call on one path: transcript, hook, the change, hook. */
  write(path: string, content: string): Promise<void>;
  /** A shell call in which `work` happens. */
  shell(work: () => void): Promise<void>;
  say(text: string): void;
  /** Lines as they are. */
  append(...lines: readonly object[]): void;
  stop(): Promise<void>;
  end(): Promise<void>;
  hook(event: string, more?: object): Promise<void>;
}

export function startAgentSession(
  repository: TestRepository,
  id: string,
  { through = "this process" }: { readonly through?: "this process" | "program" } = {},
): AgentSession {
  const folder = join(
    repository.env["HOME"] ?? "",
    ".claude/projects",
    repository.folder.replace(/[^A-Za-z0-9]/g, "-"),
  );
  mkdirSync(folder, { recursive: true });
  const transcriptPath = join(folder, `${id}.jsonl`);
  let calls = 0;
  const at = (path: string) => join(repository.folder, path);
  const hook = async (event: string, more: object = {}) => {
    const payload = {
      session_id: id,
      transcript_path: transcriptPath,
      cwd: repository.folder,
      hook_event_name: event,
      model: "claude-test-1",
      ...more,
    };
    if (through === "program") {
      const result = repository.keyframe(["hook", "claude"], { stdin: JSON.stringify(payload) });
      if (result.code !== 0 || result.stdout + result.stderr !== "")
        throw new Error(`the hook of ${event} ended with ${JSON.stringify(result)}`);
    } else await runHookHere(repository, payload);
  };
  const append = (...lines: readonly object[]) =>
    appendFileSync(transcriptPath, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  const assistant = (content: readonly object[]) => {
    calls += 1;
    append({
      type: "assistant",
      uuid: `u-${calls}`,
      timestamp: "2026-01-02T03:04:05.000Z",
      message: {
        id: `msg-${id}-${calls}`,
        role: "assistant",
        model: "claude-test-1",
        content,
        usage: {
          input_tokens: 10,
          output_tokens: 5,
          cache_read_input_tokens: 100,
          cache_creation_input_tokens: 20,
        },
      },
    });
  };
  const tool = async (name: string, input: object, work: () => void) => {
    const toolUseId = `toolu_${id}_${calls}`;
    assistant([{ type: "tool_use", id: toolUseId, name, input }]);
    const call = { tool_name: name, tool_use_id: toolUseId, tool_input: input };
    await hook("PreToolUse", call);
    work();
    await hook("PostToolUse", call);
    append({
      type: "user",
      message: { role: "user", content: [{ type: "tool_result", tool_use_id: toolUseId, content: "ok" }] },
    });
  };
  return {
    id,
    transcriptPath,
    hook,
    append,
    async prompt(text) {
      await hook("UserPromptSubmit", { prompt: text });
      append({ type: "user", message: { role: "user", content: text } });
    },
    write: (path, content) =>
      tool("Write", { file_path: at(path), content }, () => {
        mkdirSync(dirname(at(path)), { recursive: true });
        rmSync(at(path), { force: true });
        writeFileSync(at(path), content);
      }),
    shell: (work) => tool("Bash", { command: "sh" }, work),
    say: (text) => assistant([{ type: "text", text }]),
    stop: () => hook("Stop"),
    end: () => hook("SessionEnd", { reason: "exit" }),
  };
}

/** What the hook entry does with a payload. */
async function runHookHere({ folder, env }: TestRepository, payload: object): Promise<void> {
  const event = claudeAdapter.parsePayload(payload);
  if (event.kind === "ignored" || event.kind === "refused") throw new Error(event.why);
  const repository = mustFindRepository(folder, nodeMachine);
  const deps = hookDeps(repository);
  observe(event, deps);
  if (!isSessionEvent(event)) return;
  const { wants } = advanceSession(event, repository, deps);
  const git = openGit(repository, deps.processes, env);
  if (wants !== undefined) await onTurnEvent(git, deps, { event, wants });
}
