import { fieldsOf, type LineFields, listOf, numberOf, textOf } from "../json-fields.ts";
import type { CompactBuilder } from "./compact-builder.ts";
import type { AssistantBlock, ToolResult } from "./compact-line.ts";

/** OpenCode, as `opencode export` prints it: messages `{info{role, id, tokens, time}, parts[]}`; times are milliseconds. */
export function compactOpencodeLine(line: LineFields, into: CompactBuilder): void {
  const info = fieldsOf(line["info"]);
  if (info === undefined) return;
  const ts = timeOf(fieldsOf(info["time"])?.["created"]);
  if (info["role"] === "user") {
    const text = opencodePrompt(line);
    if (text !== "") into.user(ts, [{ text }]);
    return;
  }
  if (info["role"] !== "assistant") return;
  const content = listOf(line["parts"]).flatMap(assistantBlock);
  if (content.length === 0) return;
  const tokens = fieldsOf(info["tokens"]);
  into.assistant({
    ts,
    id: textOf(info["id"]),
    inputTokens: numberOf(tokens?.["input"]),
    outputTokens: numberOf(tokens?.["output"]),
    content,
  });
}

/** What the user wrote; parts that the program added say so. */
export function opencodePrompt(line: LineFields): string {
  return listOf(line["parts"])
    .map(fieldsOf)
    .filter((part) => part?.["type"] === "text" && part["synthetic"] !== true)
    .map((part) => textOf(part?.["text"]) ?? "")
    .join("\n")
    .trim();
}

function timeOf(value: unknown): string | undefined {
  const atMs = numberOf(value);
  const date = new Date(atMs ?? Number.NaN);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}

function assistantBlock(value: unknown): AssistantBlock[] {
  const part = fieldsOf(value);
  if (part?.["type"] === "text") return [{ text: textOf(part["text"]) ?? "", type: "text" }];
  if (part?.["type"] !== "tool") return [];
  const state = fieldsOf(part["state"]);
  const id = textOf(part["callID"]);
  const name = textOf(part["tool"]);
  const result = toolResult(state);
  return [
    {
      ...(id === undefined ? {} : { id }),
      ...(state?.["input"] === undefined ? {} : { input: state["input"] }),
      ...(name === undefined ? {} : { name }),
      ...(result === undefined ? {} : { result }),
      type: "tool_use",
    },
  ];
}

function toolResult(state: LineFields | undefined): ToolResult | undefined {
  if (state?.["status"] === "completed") return { output: textOf(state["output"]) ?? "", status: "success" };
  if (state?.["status"] === "error") return { output: textOf(state["error"]) ?? "", status: "error" };
  return undefined;
}
