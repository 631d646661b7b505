import { resolve } from "node:path";
import type { AgentEvent, AgentId } from "../agents/agent-event.ts";
import { asName } from "../agents/fields.ts";
import { type JsonObject, objectField, stringField } from "../base/json.ts";
import { classOf, emptyCall, mergeCall, originalOf, type ToolCallState } from "./tool-call.ts";

interface From {
  readonly agent: AgentId;
  readonly cwd: string;
}

interface OpenCall {
  call: ToolCallState;
  /** The looks that were taken before it. */
  begun: "edit" | "shell" | undefined;
  begunPaths: readonly string[];
}

type Asked =
  | { readonly kind: "permission"; readonly callId: string }
  | { readonly kind: "write"; readonly path: string }
  | { readonly kind: "terminal"; readonly command: string }
  | { readonly kind: "terminal-end"; readonly terminalId: string };

/** Calls that were never ended are forgotten beyond this, the oldest first. */
const maxOpen = 1000;

/**
 * The tool calls of one session. A look is taken as soon as a call that may write is announced, once more when the person
 * has permitted it, and when it is over; a file that the editor writes for the agent is looked at before and after.
 */
export class CallTracker {
  readonly #readText: (path: string) => string | undefined;
  /** Requests are numbered anew by each process: with this their numbers name one call for ever. */
  readonly #run: string;
  readonly #open = new Map<string, OpenCall>();
  readonly #asked = new Map<string, Asked>();
  readonly #terminals = new Map<string, { readonly callId: string; readonly command: string }>();

  constructor({
    readText,
    run,
  }: { readonly readText: (path: string) => string | undefined; readonly run: string }) {
    this.#readText = readText;
    this.#run = run;
  }

  update(update: JsonObject, from: From): AgentEvent[] {
    const kind = stringField(update, "sessionUpdate");
    const id = asName(stringField(update, "toolCallId"));
    if ((kind !== "tool_call" && kind !== "tool_call_update") || id === undefined) return [];
    const open = this.#merge(id, update, from);
    const events = this.#begin(open, from);
    const { status } = open.call;
    if (status !== "completed" && status !== "failed") return events;
    this.#open.delete(id);
    return [...events, ...this.#end(open, from)];
  }

  askPermission(requestId: string, toolCall: JsonObject, from: From): AgentEvent[] {
    const callId = asName(stringField(toolCall, "toolCallId"));
    if (callId === undefined) return [];
    this.#ask(requestId, { kind: "permission", callId });
    return this.#begin(this.#merge(callId, toolCall, from), from);
  }

  writeFile(requestId: string, path: string | undefined, from: From): AgentEvent[] {
    if (path === undefined || path.includes("\0")) return [];
    this.#ask(requestId, { kind: "write", path: resolve(from.cwd, path) });
    return [
      { kind: "before-edit", ...from, ...this.#writeCall(requestId), paths: [resolve(from.cwd, path)] },
    ];
  }

  createTerminal(requestId: string, params: JsonObject, from: From): AgentEvent[] {
    const command = stringField(params, "command") ?? "";
    this.#ask(requestId, { kind: "terminal", command });
    return [{ kind: "before-shell", ...from, ...this.#terminalCall(requestId), command }];
  }

  endTerminal(
    requestId: string,
    { method, terminalId }: { readonly method: string; readonly terminalId: string | undefined },
    from: From,
  ): AgentEvent[] {
    if (terminalId === undefined) return [];
    if (method !== "terminal/release") {
      this.#ask(requestId, { kind: "terminal-end", terminalId });
      return [];
    }
    return this.#closeTerminal(terminalId, from);
  }

  /** The editor's response to a request of the agent. */
  answered(requestId: string, result: JsonObject | undefined, from: From): AgentEvent[] {
    const asked = this.#asked.get(requestId);
    this.#asked.delete(requestId);
    switch (asked?.kind) {
      case "write":
        return [{ kind: "after-edit", ...from, ...this.#writeCall(requestId), paths: [asked.path] }];
      case "terminal": {
        const terminalId = result && stringField(result, "terminalId");
        const { command } = asked;
        if (terminalId !== undefined) {
          this.#terminals.set(terminalId, { callId: requestId, command });
          return [];
        }
        return [{ kind: "after-shell", ...from, ...this.#terminalCall(requestId), command }];
      }
      case "terminal-end":
        return this.#closeTerminal(asked.terminalId, from);
      case "permission":
        return this.#permitted(asked.callId, result, from);
      default:
        return [];
    }
  }

  /** A turn is over: what is still open belongs to nobody. */
  forget(): void {
    this.#open.clear();
    this.#asked.clear();
    this.#terminals.clear();
  }

  /** The person may have taken long: what happened meanwhile is not the call's. */
  #permitted(callId: string, result: JsonObject | undefined, from: From): AgentEvent[] {
    const open = this.#open.get(callId);
    const outcome = result && stringField(objectField(result, "outcome") ?? {}, "outcome");
    if (open?.begun !== "shell" || outcome !== "selected") return [];
    return [{ kind: "before-shell", ...from, ...shellCall(open.call) }];
  }

  #merge(id: string, update: JsonObject, { cwd }: From): OpenCall {
    const open = this.#open.get(id) ?? { call: emptyCall(id), begun: undefined, begunPaths: [] };
    open.call = mergeCall(open.call, update, cwd);
    this.#open.set(id, open);
    const [oldest] = this.#open.keys();
    if (this.#open.size > maxOpen && oldest !== undefined) this.#open.delete(oldest);
    return open;
  }

  #begin(open: OpenCall, from: From): AgentEvent[] {
    const { call } = open;
    const kind = classOf(call);
    if (kind === "reads" || call.kind === "" || isOver(call)) return [];
    if (kind === "may write") {
      if (open.begun !== undefined) return [];
      open.begun = "shell";
      return [{ kind: "before-shell", ...from, ...shellCall(call) }];
    }
    const paths = call.paths.filter((path) => !open.begunPaths.includes(path));
    // what the file holds already was written before anything was said: its text before is computed at the end
    const unwritten = paths.filter((path) => !this.#isWritten(call, path));
    if (unwritten.length === 0) return [];
    open.begun = "edit";
    open.begunPaths = [...open.begunPaths, ...unwritten];
    return [{ kind: "before-edit", ...from, toolUseId: call.id, toolName: nameOf(call), paths: unwritten }];
  }

  #end({ call, begun, begunPaths }: OpenCall, from: From): AgentEvent[] {
    if (classOf(call) === "reads") return [];
    if (begun === "shell") return [{ kind: "after-shell", ...from, ...shellCall(call) }];
    if (call.paths.length === 0) return [];
    const originals = new Map<string, string | null>();
    for (const path of call.paths.filter((each) => !begunPaths.includes(each))) {
      const original = originalOf(this.#readText(path), diffsAt(call, path));
      if (original !== undefined) originals.set(path, original);
    }
    const { id: toolUseId, paths } = call;
    return [{ kind: "after-edit", ...from, toolUseId, toolName: nameOf(call), paths, originals }];
  }

  #isWritten(call: ToolCallState, path: string): boolean {
    const [diff] = diffsAt(call, path);
    return diff !== undefined && diff.newText !== "" && this.#readText(path) === diff.newText;
  }

  #closeTerminal(terminalId: string, from: From): AgentEvent[] {
    const terminal = this.#terminals.get(terminalId);
    this.#terminals.delete(terminalId);
    if (terminal === undefined) return [];
    const { callId, command } = terminal;
    return [{ kind: "after-shell", ...from, ...this.#terminalCall(callId), command }];
  }

  #writeCall(requestId: string) {
    return { toolUseId: `fs-${this.#run}-${requestId}`, toolName: "fs/write_text_file" };
  }

  #terminalCall(requestId: string) {
    return { toolUseId: `terminal-${this.#run}-${requestId}`, toolName: "terminal/create" };
  }

  #ask(requestId: string, asked: Asked): void {
    if (this.#asked.size < maxOpen) this.#asked.set(requestId, asked);
  }
}

function isOver({ status }: ToolCallState): boolean {
  return status === "completed" || status === "failed";
}

function diffsAt({ diffs }: ToolCallState, path: string) {
  return diffs.filter((diff) => diff.path === path);
}

function nameOf({ title, kind }: ToolCallState): string {
  return asName(title.slice(0, 200)) ?? asName(kind) ?? "tool";
}

function shellCall(call: ToolCallState) {
  return {
    toolUseId: call.id,
    toolName: nameOf(call),
    ...(call.command === undefined ? {} : { command: call.command }),
  };
}
