import { fieldsOf, type LineFields, listOf, textOf } from "../json-fields.ts";
import { countOf, noteModel, notePath, notePrompt } from "./note-facts.ts";
import { addTranscriptTokens, type TranscriptFacts, type TranscriptTokens } from "./transcript-facts.ts";

/** One event of Copilot CLI: `{type, data, timestamp}`. */
export function scanCopilotLine(line: LineFields, number: number, facts: TranscriptFacts): void {
  const data = fieldsOf(line["data"]);
  if (data === undefined) return;
  switch (line["type"]) {
    case "user.message": {
      const text = (textOf(data["content"]) ?? "").trim();
      if (text !== "") notePrompt(text, number, facts);
      return;
    }
    case "assistant.message":
      noteModel(textOf(data["model"]), facts);
      facts.open = listOf(data["toolRequests"]).length > 0 || (textOf(data["content"]) ?? "") === "";
      return;
    case "tool.execution_complete":
      facts.open = true;
      for (const edit of listOf(data["fileEdits"])) notePath(textOf(fieldsOf(edit)?.["path"]), facts);
      return;
    case "session.usage_record": {
      const usage = fieldsOf(data["usage"]);
      if (usage !== undefined) facts.tokens = addTranscriptTokens(facts.tokens, tokensOf(usage, 1));
      return;
    }
    case "session.shutdown":
      // versions without a record for each call tell the sums at the end
      if (facts.tokens.calls === 0) countShutdown(fieldsOf(data["modelMetrics"]), facts);
      return;
    default:
  }
}

function countShutdown(metrics: LineFields | undefined, facts: TranscriptFacts): void {
  for (const metric of Object.values(metrics ?? {}).map(fieldsOf)) {
    const usage = fieldsOf(metric?.["usage"]);
    const calls = countOf(fieldsOf(metric?.["requests"])?.["count"]);
    if (usage !== undefined) facts.tokens = addTranscriptTokens(facts.tokens, tokensOf(usage, calls));
  }
}

/** Tokens read from the cache are among the input, reasoning among the output. */
function tokensOf(usage: LineFields, calls: number): TranscriptTokens {
  const cacheRead = countOf(usage["cacheReadTokens"]);
  return {
    input: Math.max(0, countOf(usage["inputTokens"]) - cacheRead),
    cacheCreation: countOf(usage["cacheWriteTokens"]),
    cacheRead,
    output: countOf(usage["outputTokens"]),
    calls,
  };
}
