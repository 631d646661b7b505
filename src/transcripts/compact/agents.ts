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

const saidLines: ReadonlyMap<string, (line: string) => boolean> = new Map([
  ["claude", mayBeSaidToClaude],
  ["cursor", mayBeSaidToClaude],
  ["droid", mayBeSaidToClaude],
  ["codex", mayBeSaidToCodex],
]);

/**
 * Tells raw lines, in any encoding that contains ASCII, in which somebody may say something or a tool is called from those of results and bookkeeping: most bytes of a
 * transcript, which need not be parsed by who wants only what was said. Undefined where every line may say something.
 */
export function saidLinesOf(agent: string): ((line: string) => boolean) | undefined {
  return saidLines.get(toolNameOf(agent));
}

// inside of a JSON string quotes are escaped, so a name in quotes is a member or a whole value
function mayBeSaidToClaude(line: string): boolean {
  return line.includes('"message"') && (!line.includes('"tool_result"') || line.includes('"text"'));
}

function mayBeSaidToCodex(line: string): boolean {
  return line.includes('"response_item"') && !line.includes('_call_output"');
}
