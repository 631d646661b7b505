/** An agent as our hooks name it, as tools of the checkpoint format register it, and as their records show it. */
const names: readonly { readonly tool: string; readonly registry: string; readonly display: string }[] = [
  { tool: "claude", registry: "claude-code", display: "Claude Code" },
  { tool: "codex", registry: "codex", display: "Codex" },
  { tool: "cursor", registry: "cursor", display: "Cursor" },
  { tool: "copilot", registry: "copilot-cli", display: "Copilot CLI" },
  { tool: "gemini", registry: "gemini", display: "Gemini CLI" },
  { tool: "opencode", registry: "opencode", display: "OpenCode" },
  { tool: "droid", registry: "factoryai-droid", display: "Factory AI Droid" },
  { tool: "pi", registry: "pi", display: "Pi" },
  { tool: "qwen", registry: "qwen-code", display: "Qwen Code" },
  { tool: "kimi", registry: "kimi-code", display: "Kimi Code" },
  { tool: "cline", registry: "cline", display: "Cline" },
  { tool: "auggie", registry: "auggie", display: "Auggie" },
  { tool: "kilo", registry: "kilo", display: "Kilo" },
  { tool: "vscode-copilot", registry: "github-copilot", display: "GitHub Copilot" },
  { tool: "windsurf", registry: "windsurf", display: "Windsurf" },
];

/** `claude` -> `Claude Code`; a name that nobody knows stays as it is. */
export function displayNameOf(tool: string): string {
  return names.find((name) => name.tool === tool || name.registry === tool)?.display ?? tool;
}

/** `Claude Code` or `claude-code` -> `claude`; a name that nobody knows stays as it is. */
export function toolNameOf(name: string): string {
  return names.find(({ display, registry }) => display === name || registry === name)?.tool ?? name;
}

/** `Claude Code` or `claude` -> `claude-code`, as compact transcripts name it; a name that nobody knows stays as it is. */
export function registryNameOf(name: string): string {
  return names.find(({ tool, display }) => display === name || tool === name)?.registry ?? name;
}
