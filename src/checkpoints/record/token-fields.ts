import type { JsonMap } from "../../base/json-document.ts";
import { noTranscriptTokens, type TranscriptTokens } from "../../transcripts/scan/transcript-facts.ts";

/** Tokens as the format's metadata holds them; those of subagents nested. */
export function encodeTokens(tokens: TranscriptTokens, subagents = noTranscriptTokens): JsonMap {
  const fields: JsonMap = new Map([
    ["input_tokens", tokens.input],
    ["cache_creation_tokens", tokens.cacheCreation],
    ["cache_read_tokens", tokens.cacheRead],
    ["output_tokens", tokens.output],
    ["api_call_count", tokens.calls],
  ]);
  if (subagents.calls > 0) fields.set("subagent_tokens", encodeTokens(subagents));
  return fields;
}
