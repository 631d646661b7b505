import { fieldsOf, type LineFields, listOf, numberOf, textOf } from "../json-fields.ts";
import type { CompactBuilder } from "./compact-builder.ts";
import type { AssistantBlock, ToolResult, UserBlock } from "./compact-line.ts";

/**
 * Claude Code and agents that write its lines: `{type, timestamp, message{...}}`; Cursor names only the role, and
 * Factory Droid has it in the message, of type "message".
 */
export function compactClaudeLine(line: LineFields, into: CompactBuilder): void {
  const message = fieldsOf(line["message"]);
  if (message === undefined) return;
  const type = speakerOf(line, message);
  const ts = textOf(line["timestamp"]);
  if (type === "assistant") compactAssistant(message, ts, into);
  else if (type === "user" || type === "human") compactUser(line, message, ts, into);
}

/** `user`, `assistant`, or another kind of line. */
export function speakerOf(line: LineFields, message: LineFields): string | undefined {
  const type = textOf(line["type"]) ?? textOf(line["role"]);
  return type === "message" ? textOf(message["role"]) : type;
}

function compactAssistant(message: LineFields, ts: string | undefined, into: CompactBuilder): void {
  const usage = fieldsOf(message["usage"]);
  const content = message["content"];
  const blocks =
    typeof content === "string"
      ? [{ text: content, type: "text" as const }]
      : listOf(content).flatMap(assistantBlock);
  // a message so far without anything to show still opens the line of its id
  if (blocks.length === 0) return;
  into.assistant({
    ts,
    id: textOf(message["id"]),
    inputTokens: numberOf(usage?.["input_tokens"]),
    outputTokens: numberOf(usage?.["output_tokens"]),
    content: blocks,
  });
}

function assistantBlock(value: unknown): AssistantBlock[] {
  const block = fieldsOf(value);
  if (block?.["type"] === "text") return [{ text: textOf(block["text"]) ?? "", type: "text" }];
  if (block?.["type"] !== "tool_use") return [];
  const id = textOf(block["id"]);
  const name = textOf(block["name"]);
  return [
    {
      ...(id === undefined ? {} : { id }),
      ...(block["input"] === undefined ? {} : { input: block["input"] }),
      ...(name === undefined ? {} : { name }),
      type: "tool_use",
    },
  ];
}

function compactUser(
  line: LineFields,
  message: LineFields,
  ts: string | undefined,
  into: CompactBuilder,
): void {
  const promptId = textOf(line["promptId"]);
  const withId = (text: string): UserBlock => ({ ...(promptId === undefined ? {} : { id: promptId }), text });
  const content = message["content"];
  if (typeof content === "string") {
    into.user(ts, [withId(stripContextTags(content))]);
    return;
  }
  const blocks: UserBlock[] = [];
  for (const value of listOf(content)) {
    const block = fieldsOf(value);
    if (block?.["type"] === "tool_result") {
      into.result(textOf(block["tool_use_id"]) ?? "", toolResult(block, fieldsOf(line["toolUseResult"])));
    } else if (block?.["type"] === "text") blocks.push(withId(stripContextTags(textOf(block["text"]) ?? "")));
    else if (block?.["type"] === "image") blocks.push(block);
  }
  if (blocks.length > 0) into.user(ts, blocks);
  else into.flush();
}

/** The output where it is one text; that of a subagent, a list of blocks, stays in the raw transcript. */
function toolResult(block: LineFields, detail: LineFields | undefined): ToolResult {
  const output = textOf(detail?.["stdout"]) || (textOf(block["content"]) ?? "");
  const inner = fieldsOf(detail?.["file"]);
  const filePath = textOf(inner?.["filePath"]) ?? textOf(detail?.["filePath"]);
  const numLines = numberOf(inner?.["numLines"]);
  const matchCount = numberOf(detail?.["numFiles"]) || undefined;
  return {
    output,
    status: block["is_error"] === true ? "error" : "success",
    ...(filePath === undefined
      ? {}
      : { file: { filePath, ...(numLines === undefined ? {} : { numLines }) } }),
    ...(matchCount === undefined ? {} : { matchCount }),
  };
}

const contextTags =
  "ide_opened_file|ide_selection|system-reminder|local-command-caveat|local-command-stdout|command-name|command-message|command-args|user-prompt-submit-hook";

/** What editors and the agent itself put around a prompt is not the user's. */
export function stripContextTags(text: string): string {
  if (!text.includes("<")) return text.trim();
  return text.replace(new RegExp(`<(${contextTags})(?: [^>]{0,200})?>[\\s\\S]*?</\\1>`, "g"), "").trim();
}
