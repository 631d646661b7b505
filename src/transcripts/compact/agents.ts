import { toolNameOf } from "../agent-names.ts";
import { claudeForms } from "../claude-form.ts";
import type { LineFields } from "../json-fields.ts";
import { compactClaudeLine } from "./claude.ts";
import { createCodexCompactor } from "./codex.ts";
import type { LineCompactor } from "./compactor.ts";
import { compactCopilotLine } from "./copilot.ts";
import { compactGeminiLine } from "./gemini.ts";
import { compactOpencodeLine } from "./opencode.ts";
import { compactPiLine } from "./pi.ts";

const compactors: ReadonlyMap<string, () => LineCompactor> = new Map<string, () => LineCompactor>([
  ["claude", () => compactClaudeLine],
  ["codex", createCodexCompactor],
  ["cursor", () => compactClaudeLine],
  ["copilot", () => compactCopilotLine],
  ["droid", () => compactClaudeLine],
  ["gemini", () => compactGeminiLine],
  ["kilo", () => compactOpencodeLine],
  ["opencode", () => compactOpencodeLine],
  ["pi", () => compactPiLine],
  ...Object.entries(claudeForms).map(([tool, formOf]) => [tool, () => compactByForm(formOf)] as const),
]);

function compactByForm(formOf: (line: LineFields) => readonly LineFields[]): LineCompactor {
  return (line, into) => {
    for (const one of formOf(line)) compactClaudeLine(one, into);
  };
}

/** How to read an agent's transcript, by any of its names; undefined where nobody knows. */
export function lineCompactorOf(agent: string): LineCompactor | undefined {
  return compactors.get(toolNameOf(agent))?.();
}
