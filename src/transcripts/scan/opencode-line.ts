import { opencodePrompt } from "../compact/opencode.ts";
import { fieldsOf, type LineFields, listOf, textOf } from "../json-fields.ts";
import { countOf, noteModel, notePath, notePrompt, noteUsage } from "./note-facts.ts";
import type { TranscriptFacts } from "./transcript-facts.ts";

/** One message of an OpenCode export: `{info, parts[]}`. */
export function scanOpencodeLine(line: LineFields, number: number, facts: TranscriptFacts): void {
  const info = fieldsOf(line["info"]);
  if (info === undefined) return;
  if (info["role"] === "user") {
    const text = opencodePrompt(line);
    if (text !== "") notePrompt(text, number, facts);
    return;
  }
  if (info["role"] !== "assistant") return;
  noteModel(textOf(info["modelID"]), facts);
  const parts = listOf(line["parts"]).map(fieldsOf);
  facts.open = info["finish"] !== "stop";
  for (const part of parts) {
    // what a step changed, whichever tool did it
    if (part?.["type"] === "patch") for (const path of listOf(part["files"])) notePath(textOf(path), facts);
  }
  const tokens = fieldsOf(info["tokens"]);
  if (tokens === undefined) return;
  const cache = fieldsOf(tokens["cache"]);
  // neither is cache among the input, nor reasoning among the output
  const usage = {
    input: countOf(tokens["input"]),
    cacheCreation: countOf(cache?.["write"]),
    cacheRead: countOf(cache?.["read"]),
    output: countOf(tokens["output"]) + countOf(tokens["reasoning"]),
    calls: 1,
  };
  noteUsage(textOf(info["id"]) ?? `line-${number}`, usage, facts);
}
