import type { RecordedPayload } from "./recorded-session.ts";

/** What the agent has written to its transcript by the time of a hook, in its own format; one JSON document each. */
export function toldLines(agent: string, payload: RecordedPayload, at: string): readonly object[] {
  return agent === "codex" ? codexLines(payload, at) : claudeLines(payload, at);
}

function claudeLines(payload: RecordedPayload, timestamp: string): readonly object[] {
  const { hook_event_name: event, tool_name: name, tool_use_id: id, tool_input: input } = payload;
  const line = (role: "user" | "assistant", content: unknown) => [
    { type: role, sessionId: payload["session_id"], timestamp, message: { role, content } },
  ];
  switch (event) {
    case "UserPromptSubmit":
      return line("user", payload["prompt"]);
    case "PreToolUse":
      return line("assistant", [{ type: "tool_use", id, name, input }]);
    case "PostToolUse":
      return line("user", [{ type: "tool_result", tool_use_id: id, content: "" }]);
    case "Stop":
      return line("assistant", [{ type: "text", text: payload["last_assistant_message"] }]);
    default:
      return [];
  }
}

function codexLines(payload: RecordedPayload, timestamp: string): readonly object[] {
  const { hook_event_name: event, tool_name: name, tool_use_id: id, tool_input: input } = payload;
  const item = (content: object) => [{ timestamp, type: "response_item", payload: content }];
  const said = (role: "user" | "assistant", type: string, text: unknown) =>
    item({ type: "message", role, content: [{ type, text }] });
  switch (event) {
    case "SessionStart":
      return [
        { timestamp, type: "session_meta", payload: { id: payload["session_id"], cwd: payload["cwd"] } },
      ];
    case "UserPromptSubmit":
      return said("user", "input_text", payload["prompt"]);
    case "PreToolUse":
      return item({ type: "custom_tool_call", call_id: id, name, input: input?.command });
    case "PostToolUse":
      return item({ type: "custom_tool_call_output", call_id: id, output: payload["tool_response"] });
    case "Stop":
      return said("assistant", "output_text", payload["last_assistant_message"]);
    default:
      return [];
  }
}
