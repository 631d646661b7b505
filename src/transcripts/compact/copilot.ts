import { fieldsOf, type LineFields, listOf, textOf } from "../json-fields.ts";
import type { CompactBuilder } from "./compact-builder.ts";
import type { AssistantBlock } from "./compact-line.ts";

/** Copilot CLI: events `{type, data, timestamp}`; `assistant.message` names its tool calls, whose ends come later. */
export function compactCopilotLine(line: LineFields, into: CompactBuilder): void {
  const data = fieldsOf(line["data"]);
  if (data === undefined) return;
  const ts = textOf(line["timestamp"]);
  switch (line["type"]) {
    case "user.message": {
      const text = (textOf(data["content"]) ?? "").trim();
      if (text !== "") into.user(ts, [{ text }]);
      return;
    }
    case "assistant.message": {
      const text = textOf(data["content"]) ?? "";
      const content: AssistantBlock[] = [
        ...(text === "" ? [] : [{ text, type: "text" as const }]),
        ...listOf(data["toolRequests"]).flatMap(toolRequest),
      ];
      if (content.length > 0) into.assistant({ ts, id: textOf(data["messageId"]), content });
      return;
    }
    case "tool.execution_complete": {
      const result = fieldsOf(data["result"]);
      const error = fieldsOf(data["error"]);
      into.result(textOf(data["toolCallId"]) ?? "", {
        output: textOf(result?.["content"]) ?? textOf(error?.["message"]) ?? "",
        status: data["success"] === true ? "success" : "error",
      });
      return;
    }
    default:
  }
}

function toolRequest(value: unknown): AssistantBlock[] {
  const request = fieldsOf(value);
  if (request === undefined) return [];
  const id = textOf(request["toolCallId"]);
  const name = textOf(request["name"]);
  return [
    {
      ...(id === undefined ? {} : { id }),
      ...(request["arguments"] === undefined ? {} : { input: request["arguments"] }),
      ...(name === undefined ? {} : { name }),
      type: "tool_use",
    },
  ];
}
