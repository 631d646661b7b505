import { toolNameOf } from "../agent-names.ts";
import { compactClaudeLine } from "./claude.ts";
import { createCodexCompactor } from "./codex.ts";
import type { LineCompactor } from "./compactor.ts";
import { compactCopilotLine } from "./copilot.ts";
import { compactGeminiLine } from "./gemini.ts";
import { compactOpencodeLine } from "./opencode.ts";
import { compactPiLine } from "./pi.ts";

const compactors: ReadonlyMap<string, () => LineCompactor> = new Map([
  ["claude", () => compactClaudeLine],
  ["codex", createCodexCompactor],
  ["cursor", () => compactClaudeLine],
  ["copilot", () => compactCopilotLine],
  ["droid", () => compactClaudeLine],
  ["gemini", () => compactGeminiLine],
  ["opencode", () => compactOpencodeLine],
  ["pi", () => compactPiLine],
]);

/** How to read an agent's transcript, by any of its names; undefined where nobody knows. */
export function lineCompactorOf(agent: string): LineCompactor | undefined {
  return compactors.get(toolNameOf(agent))?.();
}
