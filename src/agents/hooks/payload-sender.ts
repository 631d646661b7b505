import { type Fields, field, textField } from "../fields.ts";

/** Marks that only one program puts into its payloads, the more particular ones first. */
const marks: readonly {
  readonly sender: string;
  readonly title: string;
  readonly has: (seen: Seen) => boolean;
}[] = [
  { sender: "opencode", title: "OpenCode", has: ({ plugin }) => plugin === "opencode" },
  { sender: "kilo", title: "Kilo", has: ({ plugin }) => plugin === "kilo" },
  { sender: "pi", title: "Pi", has: ({ plugin }) => plugin === "pi" },
  { sender: "amp", title: "Amp", has: ({ plugin }) => plugin === "amp" },
  { sender: "cursor", title: "Cursor", has: ({ has, at }) => has("cursor_version") || at("/.cursor/") },
  { sender: "vscode-copilot", title: "GitHub Copilot", has: isVsCodeCopilot },
  { sender: "copilot", title: "Copilot CLI", has: isCopilotCli },
  { sender: "windsurf", title: "Windsurf", has: ({ has }) => has("trajectory_id") },
  { sender: "cline", title: "Cline", has: ({ has }) => has("cline_version") },
  {
    sender: "kimi",
    title: "Kimi Code",
    has: ({ client, at }) => client.startsWith("kimi") || at("/.kimi-code/"),
  },
  { sender: "droid", title: "Factory Droid", has: ({ at }) => at("/.factory/sessions/") },
  { sender: "qwen", title: "Qwen Code", has: ({ at }) => at("/.qwen/projects/") || at("/.qwen/tmp/") },
  { sender: "gemini", title: "Gemini CLI", has: ({ at }) => at("/.gemini/tmp/") },
  { sender: "codex", title: "Codex", has: ({ at }) => at("/.codex/sessions/") || at("/rollout-") },
  { sender: "claude", title: "Claude Code", has: ({ at }) => at("/.claude/projects/") },
];

interface Seen {
  readonly plugin: string;
  readonly client: string;
  readonly call: string;
  readonly transcript: string;
  readonly has: (name: string) => boolean;
  /** True if the transcript lies in such a place. */
  readonly at: (place: string) => boolean;
}

/** The program that a payload comes from, if it shows that; many products read the settings of others. */
export function senderOf(fields: Fields): { readonly sender: string; readonly title: string } | undefined {
  const transcript = textField(fields, "transcript_path")?.toLowerCase() ?? "";
  const seen: Seen = {
    plugin: textField(fields, "keyframe_plugin") ?? "",
    client: textField(fields, "client_type") ?? "",
    call: textField(fields, "tool_use_id") ?? "",
    transcript,
    has: (name) => field(fields, name) !== undefined,
    at: (place) => transcript.includes(place),
  };
  return marks.find((mark) => mark.has(seen));
}

function isVsCodeCopilot({ transcript, call, has }: Seen): boolean {
  const isItsPlace = /github[ .]copilot|\/chatsessions\//.test(transcript) && !transcript.includes(".claude");
  return isItsPlace || call.includes("__vscode-") || has("extension_id");
}

/** It runs the hooks of Claude Code's settings too, and says in most of them neither its name nor where its transcript is. */
function isCopilotCli({ at, transcript, has }: Seen): boolean {
  if (at("/.copilot/session-state/")) return true;
  return transcript === "" && has("timestamp") && has("hook_event_name") && has("session_id") && has("cwd");
}
