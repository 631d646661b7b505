import { claudeForms } from "../claude-form.ts";
import { fieldsOf, type LineFields } from "../json-fields.ts";
import { scanClaudeLine } from "./claude-line.ts";
import { scanCodexLine } from "./codex-line.ts";
import { scanCopilotLine } from "./copilot-line.ts";
import { scanGeminiLine } from "./gemini-line.ts";
import { scanOpencodeLine } from "./opencode-line.ts";
import { scanPiLine } from "./pi-line.ts";
import { maxScanned, type TranscriptFacts } from "./transcript-facts.ts";

/** Agents whose lines are known, by our name; of the others only the lines are counted. */
const scanners: Readonly<Record<string, (line: LineFields, number: number, facts: TranscriptFacts) => void>> =
  {
    claude: scanClaudeLine,
    codex: scanCodexLine,
    copilot: scanCopilotLine,
    cursor: scanClaudeLine,
    droid: scanClaudeLine,
    gemini: scanGeminiLine,
    kilo: scanOpencodeLine,
    opencode: scanOpencodeLine,
    pi: scanPiLine,
  };
/** Takes one more line of an agent's transcript into account; `facts` changes. A line that is no JSON only counts. */
export function scanTranscriptLine(tool: string, line: Buffer, facts: TranscriptFacts): void {
  const number = facts.lines;
  facts.lines += 1;
  const scan = scannerOf(tool);
  if (scan === undefined) return;
  const fields = parseLine(line);
  if (fields === undefined) return;
  scan(fields, number, facts);
  for (const list of [facts.prompts, facts.tasks, facts.editedPaths]) {
    if (list.length > maxScanned) list.splice(0, list.length - maxScanned);
  }
}

function scannerOf(tool: string): (typeof scanners)[string] | undefined {
  if (Object.hasOwn(scanners, tool)) return scanners[tool];
  const formOf = Object.hasOwn(claudeForms, tool) ? claudeForms[tool] : undefined;
  if (formOf === undefined) return undefined;
  return (fields, number, facts) => {
    for (const line of formOf(fields)) scanClaudeLine(line, number, facts);
  };
}

function parseLine(line: Buffer): LineFields | undefined {
  try {
    return fieldsOf(JSON.parse(line.toString("utf8")));
  } catch {
    return undefined; // real transcripts hold torn and glued lines
  }
}
