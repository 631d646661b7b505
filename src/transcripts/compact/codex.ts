import { fieldsOf, type LineFields, listOf, textOf } from "../json-fields.ts";
import type { CompactBuilder } from "./compact-builder.ts";

/** Codex rollouts: `{timestamp, type: "response_item", payload{...}}`; other records say nothing that is not there too. */
export function createCodexCompactor() {
  // a call joins the message right before it and the calls between; its result is known only if it comes next
  let afterMessage = false;
  let pendingCall: string | undefined;
  return function compactCodexLine(line: LineFields, into: CompactBuilder): void {
    const payload = fieldsOf(line["payload"]);
    if (line["type"] !== "response_item" || payload === undefined) return;
    const ts = textOf(line["timestamp"]);
    switch (payload["type"]) {
      case "message":
        pendingCall = undefined;
        afterMessage = payload["role"] === "assistant";
        if (payload["role"] === "assistant") {
          const text = messageText(payload, "output_text");
          into.assistant({ ts, id: undefined, content: [{ text, type: "text" }] });
        } else if (payload["role"] === "user") {
          const text = messageText(payload, "input_text");
          if (!isCodexContext(text)) into.user(ts, [{ text }]);
        }
        return;
      case "function_call":
      case "custom_tool_call": {
        const id = textOf(payload["call_id"]);
        const name = textOf(payload["name"]);
        const input =
          payload["type"] === "function_call"
            ? parseArguments(payload["arguments"])
            : { input: payload["input"] };
        into.assistant({
          ts,
          id: undefined,
          continues: afterMessage,
          content: [
            {
              ...(id === undefined ? {} : { id }),
              ...(input === undefined ? {} : { input }),
              ...(name === undefined ? {} : { name }),
              type: "tool_use",
            },
          ],
        });
        pendingCall = id;
        return;
      }
      case "function_call_output":
      case "custom_tool_call_output": {
        const id = textOf(payload["call_id"]) ?? "";
        if (id === pendingCall) into.result(id, { output: outputText(payload["output"]), status: "success" });
        pendingCall = undefined;
        return;
      }
      default:
        afterMessage = false;
        pendingCall = undefined;
    }
  };
}

function messageText(payload: LineFields, type: string): string {
  return (
    listOf(payload["content"])
      .map(fieldsOf)
      .filter((part) => part?.["type"] === type)
      .map((part) => textOf(part?.["text"]) ?? "")
      // what a user typed is trimmed, what the agent said is not
      .map((text) => (type === "input_text" ? text.trim() : text))
      .join("\n\n")
  );
}

/** Instructions and environment that the program, not the user, puts in front. */
export function isCodexContext(text: string): boolean {
  return /^(?:# AGENTS\.md instructions|<environment_context>|<user_instructions>|<INSTRUCTIONS>|<turn_aborted>)/.test(
    text.trimStart(),
  );
}

function parseArguments(value: unknown): unknown {
  const text = textOf(value);
  if (text === undefined) return value;
  try {
    return JSON.parse(text);
  } catch {
    return text; // not JSON: kept as it is
  }
}

function outputText(value: unknown): string {
  if (typeof value === "string") return value;
  const fields = fieldsOf(value);
  return textOf(fields?.["content"]) ?? textOf(fields?.["output"]) ?? JSON.stringify(value ?? "");
}
