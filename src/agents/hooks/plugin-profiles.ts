import type { HookProfile } from "./profile.ts";

/** What our own plugins send: they run inside of the agent, and start a hook for each of its events. */
const places = {
  event: ["event"],
  session: ["session_id"],
  directory: ["cwd"],
  transcript: ["transcript_path"],
  model: ["model"],
  prompt: ["prompt"],
  tool: ["tool_name"],
  input: ["tool_input"],
  call: ["tool_use_id"],
  subagent: ["subagent_id"],
  source: ["source"],
} as const;

const events = {
  "session-start": "session-start",
  prompt: "prompt",
  "before-tool": "before-tool",
  "after-tool": "after-tool",
  "turn-end": "turn-end",
  "session-end": "session-end",
} as const;

const opencodeTools = {
  edit: ["write", "edit", "patch", "multiedit", "apply_patch"],
  readOnly: [
    "read",
    "glob",
    "grep",
    "list",
    "todowrite",
    "todoread",
    "webfetch",
    "websearch",
    "codesearch",
    "task",
    "question",
    "skill",
    "invalid",
  ],
};

/** Agents that take a plugin file instead of commands. */
export const pluginProfiles: readonly HookProfile[] = [
  { name: "opencode", title: "OpenCode", places, events, tools: opencodeTools },
  { name: "kilo", title: "Kilo", places, events, tools: opencodeTools },
  {
    name: "pi",
    title: "Pi",
    places,
    events,
    tools: { edit: ["write", "edit"], readOnly: ["read", "grep", "find", "ls"] },
  },
];
