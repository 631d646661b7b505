import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What the model answers at one turn: texts and tool calls. */
export type ModelBlock =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "tool_use"; readonly name: string; readonly input: object };

export interface ScriptedConversation {
  /** Found in the conversation's first user message; a conversation with a new prompt goes on with its own replies. */
  readonly marker: string;
  /** One a turn, counted from the message that holds the marker; past the last the model says "Done." */
  readonly replies: readonly (readonly ModelBlock[])[];
}

export interface ScriptedModel {
  readonly url: string;
  readonly modelNames: ReadonlySet<string>;
  close(): Promise<void>;
}

/**
 * A model endpoint on loopback that speaks as much of the Messages API (JSON and server-sent events) as Claude Code
 * needs, and answers from a script. The script is chosen by the last user text that holds one of the markers, so that
 * a resumed conversation can go on with another one.
 */
export async function startScriptedModel(script: readonly ScriptedConversation[]): Promise<ScriptedModel> {
  const modelNames = new Set<string>();
  const server = createServer((request, response) => {
    answer(request, response, { script, modelNames }).catch((error: unknown) => {
      response.writeHead(500).end(String(error));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    modelNames,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface MessagesRequest {
  readonly model?: string;
  readonly stream?: boolean;
  readonly tools?: readonly unknown[];
  readonly messages?: readonly { readonly role: string; readonly content: unknown }[];
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  {
    script,
    modelNames,
  }: { readonly script: readonly ScriptedConversation[]; readonly modelNames: Set<string> },
): Promise<void> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  const path = new URL(request.url ?? "/", "http://localhost").pathname;
  if (request.method !== "POST" || !path.startsWith("/v1/messages")) {
    response.writeHead(request.method === "HEAD" ? 200 : 404).end();
    return;
  }
  if (path.endsWith("/count_tokens")) return sendJson(response, { input_tokens: 1 });
  const asked = JSON.parse(Buffer.concat(pieces).toString("utf8")) as MessagesRequest;
  if (asked.tools?.length && asked.model !== undefined) modelNames.add(asked.model);
  sendMessage(response, asked, {
    blocks: chooseReply(script, asked),
    usage: { input_tokens: 1, output_tokens: 1 },
  });
}

/** Sends the model's answer, as one document or as events, whichever was asked for. */
export function sendMessage(
  response: ServerResponse,
  asked: { readonly model?: unknown; readonly stream?: unknown },
  answered: { readonly blocks: readonly ModelBlock[]; readonly usage: object },
): void {
  const content = answered.blocks.map((block, index) =>
    block.type === "tool_use"
      ? { id: `toolu_${Date.now().toString(36)}${process.hrtime.bigint()}${index}`, ...block }
      : block,
  );
  const message = {
    id: `msg_${process.hrtime.bigint()}`,
    type: "message",
    role: "assistant",
    model: asked.model,
    content,
    stop_reason: content.some((block) => block.type === "tool_use") ? "tool_use" : "end_turn",
    stop_sequence: null,
    usage: answered.usage,
  };
  if (asked.stream === true) sendEvents(response, message);
  else sendJson(response, message);
}

function chooseReply(script: readonly ScriptedConversation[], asked: MessagesRequest): readonly ModelBlock[] {
  // side requests (a title for the conversation) offer no tools
  if (!asked.tools?.length) return [{ type: "text", text: "A title" }];
  const messages = asked.messages ?? [];
  let start = messages.length;
  let conversation: ScriptedConversation | undefined;
  while (conversation === undefined && start > 0) {
    start -= 1;
    const { role, content } = messages[start] ?? { role: "", content: "" };
    if (role !== "user" || isToolResult(content)) continue;
    const text = JSON.stringify(content);
    conversation = script.find(({ marker }) => text.includes(marker));
  }
  const turn = messages.slice(start).filter(({ role }) => role === "assistant").length;
  return conversation?.replies[turn] ?? [{ type: "text", text: "Done." }];
}

function isToolResult(content: unknown): boolean {
  return Array.isArray(content) && content.some((block: { type?: unknown }) => block?.type === "tool_result");
}

function sendJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
}

function sendEvents(
  response: ServerResponse,
  message: { readonly content: readonly ModelBlock[]; readonly usage: object },
): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  const send = (type: string, fields: object) => {
    response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`);
  };
  send("message_start", { message: { ...message, content: [], stop_reason: null } });
  for (const [index, block] of message.content.entries()) {
    const isCall = block.type === "tool_use";
    const empty = isCall ? { ...block, input: {} } : { type: "text", text: "" };
    const delta = isCall
      ? { type: "input_json_delta", partial_json: JSON.stringify(block.input) }
      : { type: "text_delta", text: block.text };
    send("content_block_start", { index, content_block: empty });
    send("content_block_delta", { index, delta });
    send("content_block_stop", { index });
  }
  const { stop_reason } = message as unknown as { readonly stop_reason: string };
  send("message_delta", { delta: { stop_reason, stop_sequence: null }, usage: message.usage });
  send("message_stop", {});
  response.end();
}
