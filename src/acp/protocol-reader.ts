import { isAbsolute } from "node:path";
import type { AgentEvent, AgentId } from "../agents/agent-event.ts";
import { asName } from "../agents/fields.ts";
import { isJsonObject, type JsonObject, jsonField, objectField, stringField } from "../base/json.ts";
import { displayNameOf, toolNameOf } from "../transcripts/agent-names.ts";
import { CallTracker } from "./call-tracker.ts";

export interface ReaderOptions {
  /** Who is credited; undefined: what the agent calls itself. */
  readonly tool: string | undefined;
  /** A name for an agent that says none. */
  readonly fallbackTool: string;
  /** A name for this run of the agent, used in the ids of calls. */
  readonly run: string;
  /** The text of a file now; undefined if it is none that is read. */
  readonly readText: (path: string) => string | undefined;
}

interface Session {
  readonly cwd: string;
  model: string;
  readonly calls: CallTracker;
}

type Pending =
  | { readonly kind: "initialize" }
  | { readonly kind: "open"; readonly cwd: string; readonly sessionId?: string }
  | { readonly kind: "prompt"; readonly sessionId: string };

const maxSessions = 1000;
const maxPending = 10_000;

/**
 * Reads the messages of the Agent Client Protocol (version 1) that pass between an editor and an agent, and says what they
 * mean for files and conversations. Keeps no more than bounded state; never throws on any message.
 */
export class ProtocolReader {
  readonly #options: ReaderOptions;
  readonly #sessions = new Map<string, Session>();
  /** Requests of the editor that wait for the agent's response, and those of the agent. */
  readonly #asked = new Map<string, Pending>();
  #tool: string;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#tool = options.tool ?? options.fallbackTool;
  }

  /** A message of the editor, before it reaches the agent. */
  fromEditor(message: unknown): AgentEvent[] {
    if (!isJsonObject(message)) return [];
    const method = stringField(message, "method");
    const id = idOf(message);
    if (method === undefined) return this.#editorAnswered(id, message);
    const params = objectField(message, "params") ?? {};
    const sessionId = asName(stringField(params, "sessionId")) ?? "";
    if (method === "initialize") this.#remember(id, { kind: "initialize" });
    if (method === "session/new" || method === "session/load" || method === "session/resume")
      this.#opens(id, params, method === "session/new" ? undefined : sessionId);
    if (method === "session/set_model") this.#setModel(sessionId, stringField(params, "modelId"));
    if (method !== "session/prompt") return [];
    this.#remember(id, { kind: "prompt", sessionId });
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return [];
    return [{ kind: "prompt", ...this.#from(sessionId, session), prompt: promptText(params) }];
  }

  /** A message of the agent, before it reaches the editor. */
  fromAgent(message: unknown): AgentEvent[] {
    if (!isJsonObject(message)) return [];
    const method = stringField(message, "method");
    const id = idOf(message);
    if (method === undefined) return this.#agentAnswered(id, message);
    const params = objectField(message, "params") ?? {};
    const sessionId = stringField(params, "sessionId") ?? "";
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return [];
    const from = this.#from(sessionId, session);
    switch (method) {
      case "session/update":
        return session.calls.update(objectField(params, "update") ?? {}, from);
      case "session/request_permission":
        return session.calls.askPermission(id, objectField(params, "toolCall") ?? {}, from);
      case "fs/write_text_file":
        return session.calls.writeFile(id, stringField(params, "path"), from);
      case "terminal/create":
        return session.calls.createTerminal(id, params, from);
      case "terminal/wait_for_exit":
      case "terminal/kill":
      case "terminal/release":
        return session.calls.endTerminal(id, { method, terminalId: stringField(params, "terminalId") }, from);
      default:
        return [];
    }
  }

  /** What ends with the agent's process. */
  end(): AgentEvent[] {
    return [...this.#sessions].map(([id, session]) => ({ kind: "session-end", ...this.#from(id, session) }));
  }

  #editorAnswered(id: string, message: JsonObject): AgentEvent[] {
    return [...this.#sessions].flatMap(([sessionId, { calls, ...session }]) =>
      calls.answered(id, objectField(message, "result"), this.#from(sessionId, { calls, ...session })),
    );
  }

  #agentAnswered(id: string, message: JsonObject): AgentEvent[] {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    if (asked === undefined) return [];
    const result = objectField(message, "result");
    if (asked.kind === "initialize") {
      const name = result && stringField(objectField(result, "agentInfo") ?? {}, "name");
      this.#tool = this.#options.tool ?? toolOf(name) ?? this.#options.fallbackTool;
      return [];
    }
    if (asked.kind === "prompt") return this.#endTurn(asked.sessionId);
    const sessionId = asked.sessionId ?? (result && asName(stringField(result, "sessionId")));
    // a response to loading a session may be empty
    const isRefused = jsonField(message, "error") !== undefined;
    if (sessionId === undefined || sessionId === "" || isRefused) return [];
    return this.#opened(sessionId, asked.cwd, result ?? {});
  }

  #opens(id: string, params: JsonObject, sessionId: string | undefined): void {
    const cwd = stringField(params, "cwd");
    if (cwd === undefined || !isAbsolute(cwd) || cwd.includes("\0")) return;
    this.#remember(id, { kind: "open", cwd, ...(sessionId === undefined ? {} : { sessionId }) });
  }

  #opened(sessionId: string, cwd: string, result: JsonObject): AgentEvent[] {
    if (this.#sessions.size >= maxSessions) return [];
    const models = objectField(result, "models") ?? {};
    const session: Session = {
      cwd,
      model: asName(stringField(models, "currentModelId")) ?? "unknown",
      calls: new CallTracker(this.#options),
    };
    this.#sessions.set(sessionId, session);
    return [{ kind: "session-start", ...this.#from(sessionId, session) }];
  }

  #endTurn(sessionId: string): AgentEvent[] {
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return [];
    session.calls.forget();
    return [{ kind: "turn-end", ...this.#from(sessionId, session) }];
  }

  #setModel(sessionId: string, modelId: string | undefined): void {
    const session = this.#sessions.get(sessionId);
    const model = asName(modelId);
    if (session !== undefined && model !== undefined) session.model = model;
  }

  #remember(id: string, pending: Pending): void {
    if (this.#asked.size < maxPending) this.#asked.set(id, pending);
  }

  #from(id: string, { cwd, model }: Session): { readonly agent: AgentId; readonly cwd: string } {
    return { agent: { tool: this.#tool, id, model }, cwd };
  }
}

/** Numbers and strings are different ids. */
function idOf(message: JsonObject): string {
  return JSON.stringify(jsonField(message, "id") ?? null);
}

function promptText(params: JsonObject): string {
  const blocks = jsonField(params, "prompt");
  if (!Array.isArray(blocks)) return "";
  return blocks
    .filter(isJsonObject)
    .flatMap((block) => stringField(block, "text") ?? stringField(block, "uri") ?? [])
    .join("\n");
}

/** `@agentclientprotocol/claude-agent-acp`, `qwen-code`, `gemini-cli`: the name that hooks of the same agent have. */
function toolOf(name: string | undefined): string | undefined {
  const short = asName(name?.toLowerCase().replace(/^.*\//, ""));
  if (short === undefined) return undefined;
  const plain = short.replace(/-(?:agent-)?acp$/, "").replace(/\s+/g, "-");
  for (let name = plain; ; ) {
    const tool = toolNameOf(name);
    if (displayNameOf(tool) !== tool) return tool;
    const shorter = name.replace(/-(?:cli|code|agent)$/, "");
    if (shorter === name) return plain;
    name = shorter;
  }
}
