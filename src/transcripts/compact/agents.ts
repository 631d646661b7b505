import { compactClaudeLine } from "./claude.ts";
import { createCodexCompactor } from "./codex.ts";
import type { LineCompactor } from "./compactor.ts";
import { compactPiLine } from "./pi.ts";

/** By registry name; the display name that metadata carries beside it. */
const agents: readonly {
  readonly name: string;
  readonly display: string;
  readonly compact?: () => LineCompactor;
}[] = [
  { name: "claude-code", display: "Claude Code", compact: () => compactClaudeLine },
  { name: "codex", display: "Codex", compact: createCodexCompactor },
  { name: "cursor", display: "Cursor", compact: () => compactClaudeLine },
  { name: "factoryai-droid", display: "Factory AI Droid", compact: () => compactClaudeLine },
  { name: "copilot-cli", display: "Copilot CLI" },
  { name: "gemini", display: "Gemini CLI" },
  { name: "opencode", display: "OpenCode" },
  { name: "pi", display: "Pi", compact: () => compactPiLine },
];

/** `Claude Code` -> `claude-code`; a name that nobody knows stays as it is. */
export function registryNameOf(agent: string): string {
  return find(agent)?.name ?? agent;
}

/** How to read an agent's transcript, by either of its names; undefined where nobody knows. */
export function lineCompactorOf(agent: string): LineCompactor | undefined {
  return find(agent)?.compact?.();
}

function find(agent: string) {
  return agents.find(({ name, display }) => name === agent || display === agent);
}
