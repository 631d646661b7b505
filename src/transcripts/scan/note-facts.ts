import { numberOf } from "../json-fields.ts";
import {
  addTranscriptTokens,
  subtractTokens,
  type TranscriptFacts,
  type TranscriptTokens,
} from "./transcript-facts.ts";

/** Messages that are still looked for: the rows of one message lie close together. */
const maxOpenMessages = 16;
const maxPromptLength = 100_000;
const maxModelLength = 200;
const maxSummaryLength = 500;

/** What a person asked, on which line. */
export function notePrompt(text: string, line: number, facts: TranscriptFacts): void {
  facts.open = true;
  facts.prompts.push({ line, text: text.slice(0, maxPromptLength) });
}

export function noteModel(model: string | undefined, facts: TranscriptFacts): void {
  if (model !== undefined && model !== "" && !model.startsWith("<"))
    facts.model = model.slice(0, maxModelLength);
}

/** The agent's own line about the conversation. */
export function noteSummary(summary: string | undefined, facts: TranscriptFacts): void {
  const line = (summary ?? "").replace(/\s+/g, " ").trim();
  if (line !== "") facts.summary = line.slice(0, maxSummaryLength);
}

export function notePath(path: string | undefined, facts: TranscriptFacts): void {
  if (path !== undefined && path !== "" && !facts.editedPaths.includes(path)) facts.editedPaths.push(path);
}

/** Of several rows of one message the one with the highest output counts, once. */
export function noteUsage(id: string, tokens: TranscriptTokens, facts: TranscriptFacts): void {
  const at = facts.openMessages.findIndex((open) => open.id === id);
  const before = facts.openMessages[at];
  if (before === undefined) {
    facts.tokens = addTranscriptTokens(facts.tokens, tokens);
    facts.openMessages.push({ id, tokens });
    if (facts.openMessages.length > maxOpenMessages) facts.openMessages.shift();
  } else if (tokens.output > before.tokens.output) {
    facts.tokens = addTranscriptTokens(subtractTokens(facts.tokens, before.tokens), tokens);
    facts.openMessages[at] = { id, tokens };
  }
}

/** A count of tokens: never negative, never a fraction, 0 where it is no number. */
export function countOf(value: unknown): number {
  return Math.max(0, Math.trunc(numberOf(value) ?? 0));
}
