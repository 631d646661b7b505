import { fieldsOf, type LineFields, listOf, numberOf, textOf } from "../json-fields.ts";
import type { CompactBuilder } from "./compact-builder.ts";
import type { AssistantBlock, ToolResult } from "./compact-line.ts";

/**
 * Gemini CLI: `{id, timestamp, type: "user" | "gemini", content, toolCalls[], tokens}`. A message is written again
 * when more of it is known, and the later one stands for the earlier. Records that change earlier ones (`$set`) are
 * passed over.
 */
export function compactGeminiLine(line: LineFields, into: CompactBuilder): void {
  const ts = textOf(line["timestamp"]);
  if (line["type"] === "user") {
    const text = geminiText(line["content"]);
    // answers of tools come as the user's messages too
    if (text !== "" && !isGeminiContext(text)) into.user(ts, [{ text }]);
    return;
  }
  if (line["type"] !== "gemini") return;
  const text = geminiText(line["content"]);
  const tokens = fieldsOf(line["tokens"]);
  const content: AssistantBlock[] = [
    ...(text === "" ? [] : [{ text, type: "text" as const }]),
    ...listOf(line["toolCalls"]).flatMap(toolCall),
  ];
  if (content.length === 0) return;
  into.assistant({
    ts,
    id: textOf(line["id"]),
    replaces: true,
    inputTokens: numberOf(tokens?.["input"]),
    outputTokens: numberOf(tokens?.["output"]),
    content,
  });
}

/** A text, or a list of parts with texts among them. */
export function geminiText(content: unknown): string {
  if (typeof content === "string") return content.trim();
  return listOf(content)
    .map((part) => textOf(fieldsOf(part)?.["text"]))
    .filter((text) => text !== undefined)
    .join("\n")
    .trim();
}

/** What the program tells the model before the user says anything. */
export function isGeminiContext(text: string): boolean {
  return text.startsWith("<session_context>");
}

function toolCall(value: unknown): AssistantBlock[] {
  const call = fieldsOf(value);
  if (call === undefined) return [];
  const id = textOf(call["id"]);
  const name = textOf(call["name"]);
  const result = toolResult(call);
  return [
    {
      ...(id === undefined ? {} : { id }),
      ...(call["args"] === undefined ? {} : { input: call["args"] }),
      ...(name === undefined ? {} : { name }),
      ...(result === undefined ? {} : { result }),
      type: "tool_use",
    },
  ];
}

function toolResult(call: LineFields): ToolResult | undefined {
  const answers = listOf(call["result"]);
  if (answers.length === 0) return undefined;
  const responses = answers.map((answer) =>
    fieldsOf(fieldsOf(fieldsOf(answer)?.["functionResponse"])?.["response"]),
  );
  const output = responses.map(
    (response) => textOf(response?.["output"]) ?? textOf(response?.["error"]) ?? "",
  );
  return { output: output.join("\n"), status: call["status"] === "success" ? "success" : "error" };
}
