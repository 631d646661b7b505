/** The names of the agents that `keyframe enable` can connect; a list of its own, since every command line needs it. */
export const connectableAgents: readonly string[] = [
  "claude",
  "codex",
  "copilot",
  "opencode",
  "pi",
  "gemini",
  "qwen",
  "droid",
  "auggie",
  "kimi",
  "cline",
  "kilo",
  "cursor",
  "windsurf",
];
