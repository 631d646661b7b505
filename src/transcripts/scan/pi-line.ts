import { joinedText } from "../compact/pi.ts";
import { fieldsOf, type LineFields, listOf, textOf } from "../json-fields.ts";
import { countOf, noteModel, notePath, notePrompt } from "./note-facts.ts";
import { addTranscriptTokens, type TranscriptFacts } from "./transcript-facts.ts";

const editTools = new Set(["write", "edit"]);

/** One line of Pi: `{type: "message", id, message{role, content[], usage, model}}`. */
export function scanPiLine(line: LineFields, number: number, facts: TranscriptFacts): void {
  const message = fieldsOf(line["message"]);
  if (line["type"] !== "message" || message === undefined) return;
  const content = message["content"];
  if (message["role"] === "user") {
    const text = (textOf(content) ?? joinedText(content)).trim();
    if (text !== "") notePrompt(text, number, facts);
  } else if (message["role"] === "toolResult") facts.open = true;
  else if (message["role"] === "assistant") scanAssistant(message, facts);
}

function scanAssistant(message: LineFields, facts: TranscriptFacts): void {
  noteModel(textOf(message["model"]), facts);
  const blocks = listOf(message["content"]).map(fieldsOf);
  const calls = blocks.filter((block) => block?.["type"] === "toolCall");
  facts.open = calls.length > 0 || !blocks.some((block) => block?.["type"] === "text");
  for (const call of calls) {
    if (editTools.has(textOf(call?.["name"]) ?? ""))
      notePath(textOf(fieldsOf(call?.["arguments"])?.["path"]), facts);
  }
  const usage = fieldsOf(message["usage"]);
  if (usage === undefined) return;
  // the cache is not among the input
  facts.tokens = addTranscriptTokens(facts.tokens, {
    input: countOf(usage["input"]),
    cacheCreation: countOf(usage["cacheWrite"]),
    cacheRead: countOf(usage["cacheRead"]),
    output: countOf(usage["output"]),
    calls: 1,
  });
}
