import { appendFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { CommandResult, TestRepository } from "./test-repository.ts";

/**
 * A conversation with Claude Code as its hooks and its transcript tell it, against the built program: each step calls
 * the hook that Claude Code would call, and writes the lines that it would write.
 */
export interface AgentSession {
  readonly id: string;
  readonly transcriptPath: string;
  prompt(text: string): CommandResult;
  /** An edit tool's call on one path: hook, the change, transcript, hook. Null removes the file by the shell. */
  write(path: string, content: string): void;
  /** A shell call in which `work` happens. */
  shell(work: () => void): void;
  say(text: string): void;
  /** Lines as they are. */
  append(...lines: readonly object[]): void;
  stop(): CommandResult;
  end(): CommandResult;
  hook(event: string, more?: object): CommandResult;
}

export function startAgentSession(repository: TestRepository, id: string): AgentSession {
  const folder = join(
    repository.env["HOME"] ?? "",
    ".claude/projects",
    repository.folder.replace(/[^A-Za-z0-9]/g, "-"),
  );
  mkdirSync(folder, { recursive: true });
  const transcriptPath = join(folder, `${id}.jsonl`);
  let calls = 0;
  const at = (path: string) => join(repository.folder, path);
  const hook = (event: string, more: object = {}) =>
    repository.keyframe(["hook", "claude"], {
      stdin: JSON.stringify({
        session_id: id,
        transcript_path: transcriptPath,
        cwd: repository.folder,
        hook_event_name: event,
        model: "claude-test-1",
        ...more,
      }),
    });
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
  const tool = (name: string, input: object, work: () => void) => {
    const toolUseId = `toolu_${id}_${calls}`;
    assistant([{ type: "tool_use", id: toolUseId, name, input }]);
    const call = { tool_name: name, tool_use_id: toolUseId, tool_input: input };
    hook("PreToolUse", call);
    work();
    hook("PostToolUse", call);
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
    prompt(text) {
      const result = hook("UserPromptSubmit", { prompt: text });
      append({ type: "user", message: { role: "user", content: text } });
      return result;
    },
    write: (path, content) =>
      tool("Write", { file_path: at(path), content }, () => {
        mkdirSync(dirname(at(path)), { recursive: true });
        rmSync(at(path), { force: true });
        writeFileSync(at(path), content);
      }),
    shell: (work) => tool("Bash", { command: "sh" }, work),
    say: (text) => assistant([{ type: "text", text }]),
    stop() {
      return hook("Stop");
    },
    end: () => hook("SessionEnd", { reason: "exit" }),
  };
}
