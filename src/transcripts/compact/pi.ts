import { fieldsOf, type LineFields, listOf, numberOf, textOf } from "../json-fields.ts";
import type { CompactBuilder } from "./compact-builder.ts";
import type { AssistantBlock } from "./compact-line.ts";

/** Pi: `{type: "message", id, timestamp, message{role, content[], usage}}`; results of tools are messages of their own. */
export function compactPiLine(line: LineFields, into: CompactBuilder): void {
  const message = fieldsOf(line["message"]);
  if (line["type"] !== "message" || message === undefined) return;
  const ts = textOf(line["timestamp"]);
  const content = message["content"];
  switch (message["role"]) {
    case "user":
      into.user(ts, [{ text: (textOf(content) ?? joinedText(content)).trim() }]);
      return;
    case "assistant": {
      const usage = fieldsOf(message["usage"]);
      const blocks = listOf(content).flatMap(assistantBlock);
      if (blocks.length === 0) return;
      into.assistant({
        ts,
        id: textOf(line["id"]),
        inputTokens: numberOf(usage?.["input"]),
        outputTokens: numberOf(usage?.["output"]),
        content: blocks,
      });
      return;
    }
    case "toolResult":
      into.result(textOf(message["toolCallId"]) ?? "", {
        output: joinedText(content),
        status: message["isError"] === true ? "error" : "success",
      });
      return;
    default:
  }
}

function assistantBlock(value: unknown): AssistantBlock[] {
  const block = fieldsOf(value);
  if (block?.["type"] === "text") return [{ text: textOf(block["text"]) ?? "", type: "text" }];
  if (block?.["type"] !== "toolCall") return [];
  const id = textOf(block["id"]);
  const name = textOf(block["name"]);
  return [
    {
      ...(id === undefined ? {} : { id }),
      ...(block["arguments"] === undefined ? {} : { input: block["arguments"] }),
      ...(name === undefined ? {} : { name }),
      type: "tool_use",
    },
  ];
}

/** The texts among some blocks. */
export function joinedText(content: unknown): string {
  return listOf(content)
    .map((part) => textOf(fieldsOf(part)?.["text"]))
    .filter((text) => text !== undefined)
    .join("\n");
}
