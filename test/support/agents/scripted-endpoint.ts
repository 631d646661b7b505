import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type ModelBlock, sendMessage } from "../scripted-model.ts";
import type { ScriptedCall, ScriptedReply } from "./agent-actions.ts";

/** A prompt and what the model answers after it, one reply a request; past the last it says "Done." */
export interface ScriptedPrompt {
  /** Found in the newest user text that holds any marker. */
  readonly marker: string;
  readonly replies: readonly ScriptedReply[];
  /**
   * One reply after the other, whatever the conversation holds: for scripts in which the agent makes its past shorter. A
   * request that asks for a summary is not counted.
   */
  readonly inOrder?: boolean;
}

export interface ScriptedEndpoint {
  readonly url: string;
  /** What each request of the agent's loop held, as text. */
  readonly asked: readonly string[];
  /** Every key that was shown, once. */
  readonly keys: ReadonlySet<string>;
  /** How many requests asked for a summary of the conversation. */
  readonly summaries: number;
  close(): Promise<void>;
}

const model = "mock-model";
const done: ScriptedReply = { text: "Done.", calls: [] };
const sideReply: ScriptedReply = { text: "A title", calls: [] };

/**
 * A server on loopback that speaks as much of five model interfaces as agents need, and answers from a script: OpenAI's
 * chat completions and responses, Anthropic's messages, Google's generateContent, and the chat stream of Augment's tenants.
 */
export async function startScriptedEndpoint(script: readonly ScriptedPrompt[]): Promise<ScriptedEndpoint> {
  const seen: Seen = { asked: [], keys: new Set(), summaries: 0, served: 0 };
  const server = createServer((request, response) => {
    answer(request, response, { script, seen }).catch((error: unknown) => {
      response.writeHead(500).end(String(error));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: seen.asked,
    keys: seen.keys,
    get summaries() {
      return seen.summaries;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** What the server remembers between requests. */
interface Seen {
  readonly asked: string[];
  readonly keys: Set<string>;
  summaries: number;
  /** Replies of a script in order that were sent. */
  served: number;
}

interface Script {
  readonly script: readonly ScriptedPrompt[];
  readonly seen: Seen;
}

/** One message of a conversation, of whatever interface. */
interface Turn {
  readonly isModel: boolean;
  readonly text: string;
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { script, seen }: Script,
): Promise<void> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  for (const header of ["authorization", "x-api-key"]) {
    const shown = request.headers[header];
    if (typeof shown === "string") seen.keys.add(shown.replace(/^Bearer /, ""));
  }
  const path = new URL(request.url ?? "/", "http://localhost").pathname;
  const body = Buffer.concat(pieces).toString("utf8");
  const asked = parseBody(body);
  const reply = async (turns: readonly Turn[], tools: unknown) => {
    const chosen = choose({ script, seen }, turns, hasAny(tools));
    if (hasAny(tools)) seen.asked.push(body);
    await chosen.before?.();
    return chosen;
  };
  if (path.endsWith("/messages"))
    return sendMessage(response, asked, messageOf(await reply(messageTurns(asked), asked["tools"])));
  if (path.endsWith("/chat/completions"))
    return sendChat(response, asked, await reply(chatTurns(asked), asked["tools"]));
  if (path.endsWith("/responses"))
    return sendResponses(response, await reply(responsesTurns(asked), asked["tools"]));
  if (/\/models\/[^:]+:(?:streamG|g)enerateContent$/.test(path))
    return sendGemini(response, path, await reply(geminiTurns(asked), asked["tools"]));
  if (path.endsWith("/chat-stream"))
    return sendAugment(response, await reply(augmentTurns(asked), asked["tool_definitions"]));
  sendJson(response, fixedAnswers[path] ?? (path.endsWith("/models") ? modelList : {}));
}

const modelList = {
  object: "list",
  data: [{ id: model, object: "model", created: 1, owned_by: "mock" }],
  models: [],
};

const fixedAnswers: Readonly<Record<string, object>> = {
  "/v1/messages/count_tokens": { input_tokens: 1 },
  "/get-models": {
    default_model: model,
    models: [
      {
        name: model,
        suggested_prefix_char_count: 1000,
        suggested_suffix_char_count: 1000,
        completion_timeout_ms: 1000,
      },
    ],
    languages: [],
    feature_flags: { enable_hooks: true },
    user_tier: "ENTERPRISE_TIER",
    user: { id: "u", email: "ann@example.com" },
  },
  "/agents/list-remote-tools": { tools: [] },
  "/settings/get-mcp-tenant-configs": { mcp_configs: [] },
  "/settings/get-mcp-user-configs": { mcp_configs: [] },
  "/find-missing": { unknown_memory_names: [], nonindexed_blob_names: [] },
  "/batch-upload": { blob_names: [] },
  "/checkpoint-blobs": { new_checkpoint_id: "c1" },
};

type Fields = Readonly<Record<string, unknown>>;

function parseBody(text: string): Fields {
  try {
    return JSON.parse(text) as Fields;
  } catch {
    return {}; // a request without a body
  }
}

function hasAny(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0;
}

function listOf(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? (value as Fields[]) : [];
}

/** How agents ask a model to make a conversation shorter. */
const summaryWords = /summar|compact|handoff/i;

function choose({ script, seen }: Script, turns: readonly Turn[], hasTools: boolean): ScriptedReply {
  const inOrder = script.find((prompt) => prompt.inOrder === true);
  if (inOrder !== undefined) return nextInOrder(inOrder, seen, { turns, hasTools });
  if (!hasTools) return sideReply;
  let start = turns.length;
  let prompt: ScriptedPrompt | undefined;
  while (prompt === undefined && start > 0) {
    start -= 1;
    const turn = turns[start];
    if (turn?.isModel === false) prompt = script.find(({ marker }) => turn.text.includes(marker));
  }
  const replied = turns.slice(start).filter(({ isModel }) => isModel).length;
  return prompt?.replies[replied] ?? done;
}

function nextInOrder(
  { marker, replies }: ScriptedPrompt,
  seen: Seen,
  { turns, hasTools }: { readonly turns: readonly Turn[]; readonly hasTools: boolean },
): ScriptedReply {
  const last = turns.findLast(({ isModel }) => !isModel)?.text ?? "";
  const asksForSummary = seen.served > 0 && !last.includes(marker) && summaryWords.test(last);
  if (asksForSummary) {
    seen.summaries += 1;
    return { text: `<summary>The work on ${marker} goes on.</summary>`, calls: [] };
  }
  if (!hasTools) return sideReply;
  seen.served += 1;
  return replies[seen.served - 1] ?? done;
}

/** Anthropic's interface: results of tools come in messages of the user, with what else is said beside them. */
function messageTurns(asked: Fields): Turn[] {
  return listOf(asked["messages"]).flatMap(({ role, content }) => {
    const said = Array.isArray(content)
      ? listOf(content).filter(({ type }) => type !== "tool_result")
      : content;
    const isModel = role === "assistant";
    return said === undefined || (Array.isArray(said) && said.length === 0 && !isModel)
      ? []
      : [{ isModel, text: JSON.stringify(said) }];
  });
}

function messageOf({ text, calls, inputTokens = 1000 }: ScriptedReply) {
  const texts: ModelBlock[] = text === "" ? [] : [{ type: "text", text }];
  const made = calls.map(({ name, input }): ModelBlock => ({ type: "tool_use", name, input }));
  return { blocks: [...texts, ...made], usage: { input_tokens: inputTokens, output_tokens: 20 } };
}

function chatTurns(asked: Fields): Turn[] {
  return listOf(asked["messages"])
    .filter(({ role }) => role !== "tool" && role !== "system" && role !== "developer")
    .map((message) => ({
      isModel: message["role"] === "assistant",
      text: JSON.stringify(message["content"]),
    }));
}

/** Items that a model made in a row are one answer. */
function responsesTurns(asked: Fields): Turn[] {
  const turns: Turn[] = [];
  let wasModel = false;
  for (const item of listOf(asked["input"])) {
    const isOutput = String(item["type"]).endsWith("_output");
    const isModel =
      !isOutput &&
      (item["role"] === "assistant" ||
        String(item["type"]).endsWith("_call") ||
        item["type"] === "reasoning");
    if (isModel && wasModel) continue;
    wasModel = isModel;
    if (!isOutput) turns.push({ isModel, text: JSON.stringify(item["content"] ?? "") });
  }
  return turns;
}

function geminiTurns(asked: Fields): Turn[] {
  return listOf(asked["contents"]).map(({ role, parts }) => ({
    isModel: role === "model",
    text: JSON.stringify(listOf(parts).filter((part) => part["text"] !== undefined)),
  }));
}

function augmentTurns(asked: Fields): Turn[] {
  const past = listOf(asked["chat_history"]).flatMap((exchange) => [
    { isModel: false, text: JSON.stringify(exchange) },
    { isModel: true, text: "" },
  ]);
  return [...past, { isModel: false, text: JSON.stringify([asked["message"], asked["nodes"]]) }];
}

function sendJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
}

const newId = (prefix: string) => `${prefix}${randomUUID().replaceAll("-", "").slice(0, 24)}`;
const inputOf = ({ input }: ScriptedCall) => JSON.stringify(input);

function sendChat(
  response: ServerResponse,
  asked: Fields,
  { text, calls, inputTokens = 1000 }: ScriptedReply,
): void {
  const id = newId("chatcmpl-");
  const made = calls.map((call, index) => ({
    index,
    id: newId("call_"),
    type: "function",
    function: { name: call.name, arguments: inputOf(call) },
  }));
  const finish = made.length > 0 ? "tool_calls" : "stop";
  const usage = {
    prompt_tokens: inputTokens,
    completion_tokens: 20,
    total_tokens: inputTokens + 20,
  };
  const common = { id, created: 1, model: asked["model"] };
  if (asked["stream"] !== true) {
    const message = {
      role: "assistant",
      content: text || null,
      ...(made.length > 0 ? { tool_calls: made } : {}),
    };
    const choices = [{ index: 0, message, finish_reason: finish }];
    sendJson(response, { ...common, object: "chat.completion", choices, usage });
    return;
  }
  response.writeHead(200, { "content-type": "text/event-stream" });
  const send = (delta: object, finish_reason: string | null = null, more: object = {}) =>
    void response.write(
      `data: ${JSON.stringify({ ...common, object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason }], ...more })}\n\n`,
    );
  send({ role: "assistant", content: "" });
  if (text !== "") send({ content: text });
  for (const call of made) send({ tool_calls: [call] });
  send({}, finish, { usage });
  response.end("data: [DONE]\n\n");
}

function sendResponses(response: ServerResponse, { text, calls, inputTokens = 1000 }: ScriptedReply): void {
  const output: Fields[] = calls.map((call) =>
    "text" in call.input
      ? {
          id: newId("ctc_"),
          type: "custom_tool_call",
          status: "completed",
          call_id: newId("call_"),
          name: call.name,
          input: call.input.text,
        }
      : {
          id: newId("fc_"),
          type: "function_call",
          status: "completed",
          call_id: newId("call_"),
          name: call.name,
          ...(call.namespace === undefined ? {} : { namespace: call.namespace }),
          arguments: inputOf(call),
        },
  );
  if (text !== "")
    output.unshift({
      id: newId("msg_"),
      type: "message",
      status: "completed",
      role: "assistant",
      content: [{ type: "output_text", text, annotations: [] }],
    });
  response.writeHead(200, { "content-type": "text/event-stream" });
  let sequence_number = 0;
  const send = (type: string, fields: object) => {
    response.write(`event: ${type}\ndata: ${JSON.stringify({ type, sequence_number, ...fields })}\n\n`);
    sequence_number += 1;
  };
  const whole = { id: newId("resp_"), object: "response", created_at: 1, model, output: [], error: null };
  send("response.created", { response: { ...whole, status: "in_progress" } });
  for (const [output_index, item] of output.entries()) {
    send("response.output_item.added", { output_index, item });
    send("response.output_item.done", { output_index, item });
  }
  const usage = {
    input_tokens: inputTokens,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: 20,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: inputTokens + 20,
  };
  send("response.completed", { response: { ...whole, status: "completed", output, usage } });
  response.end();
}

function sendGemini(response: ServerResponse, path: string, { text, calls }: ScriptedReply): void {
  const parts = [
    ...(text === "" ? [] : [{ text }]),
    ...calls.map(({ name, input }) => ({ functionCall: { name, args: input } })),
  ];
  const usageMetadata = { promptTokenCount: 1000, candidatesTokenCount: 20, totalTokenCount: 1020 };
  const whole = {
    candidates: [{ content: { role: "model", parts }, index: 0, finishReason: "STOP" }],
    usageMetadata,
    modelVersion: model,
    responseId: randomUUID(),
  };
  if (!path.endsWith(":streamGenerateContent")) {
    sendJson(response, whole);
    return;
  }
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.end(`data: ${JSON.stringify(whole)}\r\n\r\n`);
}

function sendAugment(response: ServerResponse, { text, calls }: ScriptedReply): void {
  response.writeHead(200, { "content-type": "application/json" });
  const empty = {
    text: "",
    unknown_blob_names: [],
    checkpoint_not_found: false,
    workspace_file_chunks: [],
    nodes: [],
  };
  const send = (fields: object) => void response.write(`${JSON.stringify({ ...empty, ...fields })}\n`);
  send({ text, nodes: [{ id: 1, type: 0, content: text }] });
  for (const [index, call] of calls.entries()) {
    const tool_use = {
      tool_use_id: newId("toolu_"),
      tool_name: call.name,
      input_json: inputOf(call),
      is_partial: false,
    };
    send({ nodes: [{ id: index + 2, type: 5, content: "", tool_use }] });
  }
  const token_usage = {
    input_tokens: 1000,
    output_tokens: 20,
    cache_read_input_tokens: 0,
    cache_creation_input_tokens: 0,
  };
  send({ nodes: [{ id: calls.length + 2, type: 10, content: "", token_usage }] });
  send({ stop_reason: calls.length > 0 ? 3 : 1 });
  response.end();
}
