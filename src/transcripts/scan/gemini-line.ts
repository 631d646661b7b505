import { geminiText, isGeminiContext } from "../compact/gemini.ts";
import { fieldsOf, type LineFields, listOf, textOf } from "../json-fields.ts";
import { countOf, noteModel, notePath, notePrompt, noteUsage } from "./note-facts.ts";
import type { TranscriptFacts } from "./transcript-facts.ts";

const editTools = new Set(["write_file", "edit_file", "save_file", "replace"]);

/** One message of Gemini CLI, a line or a member of `messages`. */
export function scanGeminiLine(line: LineFields, number: number, facts: TranscriptFacts): void {
  if (line["type"] === "user") {
    const text = geminiText(line["content"]);
    if (text === "") facts.open = true;
    else if (!isGeminiContext(text)) notePrompt(text, number, facts);
    return;
  }
  if (line["type"] !== "gemini") return;
  noteModel(textOf(line["model"]), facts);
  const calls = listOf(line["toolCalls"]);
  facts.open = calls.length > 0 || geminiText(line["content"]) === "";
  for (const call of calls.map(fieldsOf)) {
    if (editTools.has(textOf(call?.["name"]) ?? ""))
      notePath(textOf(fieldsOf(call?.["args"])?.["file_path"]), facts);
  }
  const tokens = fieldsOf(line["tokens"]);
  if (tokens === undefined) return;
  // cached tokens are among the input, thoughts are not among the output
  const cacheRead = countOf(tokens["cached"]);
  const usage = {
    input: Math.max(0, countOf(tokens["input"]) - cacheRead),
    cacheCreation: 0,
    cacheRead,
    output: countOf(tokens["output"]) + countOf(tokens["thoughts"]),
    calls: 1,
  };
  noteUsage(textOf(line["id"]) ?? `line-${number}`, usage, facts);
}
