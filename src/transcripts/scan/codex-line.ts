import { isCodexContext } from "../compact/codex.ts";
import { fieldsOf, type LineFields, listOf, textOf } from "../json-fields.ts";
import { countOf, noteModel, notePath, notePrompt } from "./note-facts.ts";
import {
  addTranscriptTokens,
  subtractTokens,
  type TranscriptFacts,
  type TranscriptTokens,
} from "./transcript-facts.ts";

/** One line of a Codex rollout: `{type: "response_item" | "event_msg" | "turn_context", payload}`. */
export function scanCodexLine(line: LineFields, number: number, facts: TranscriptFacts): void {
  const payload = fieldsOf(line["payload"]);
  if (payload === undefined) return;
  if (line["type"] === "turn_context") noteModel(textOf(payload["model"]), facts);
  else if (line["type"] === "event_msg") scanEvent(payload, facts);
  else if (line["type"] === "response_item") scanItem(payload, number, facts);
}

function scanItem(payload: LineFields, number: number, facts: TranscriptFacts): void {
  switch (payload["type"]) {
    case "message":
      if (payload["role"] === "assistant") facts.open = false;
      else if (payload["role"] === "user") {
        const text = listOf(payload["content"])
          .map((part) => textOf(fieldsOf(part)?.["text"])?.trim())
          .filter((part) => part !== undefined)
          .join("\n\n");
        if (text !== "" && !isCodexContext(text)) notePrompt(text, number, facts);
      }
      return;
    case "function_call":
    case "custom_tool_call": {
      facts.open = true;
      if (payload["name"] === "apply_patch")
        for (const path of patchedPaths(patchIn(payload))) notePath(path, facts);
      return;
    }
    case "function_call_output":
    case "custom_tool_call_output":
      facts.open = true;
      return;
    default:
  }
}

/** The patch is the call's input, or a member of its arguments. */
function patchIn(call: LineFields): string {
  const input = textOf(call["input"]);
  if (input !== undefined) return input;
  try {
    return textOf(fieldsOf(JSON.parse(textOf(call["arguments"]) ?? ""))?.["input"]) ?? "";
  } catch {
    return ""; // arguments of another form
  }
}

/** The files that a patch of Codex's own format names. */
function patchedPaths(patch: string): string[] {
  const names = patch.matchAll(/^\*\*\* (?:Add File|Update File|Delete File|Move to): (.{1,4096})$/gm);
  return [...names].map(([, path = ""]) => path.trim());
}

/** Totals of the whole conversation: what they grew by is new; where they fell they began anew. */
function scanEvent(payload: LineFields, facts: TranscriptFacts): void {
  if (payload["type"] !== "token_count") return;
  const total = fieldsOf(fieldsOf(payload["info"])?.["total_token_usage"]);
  if (total === undefined) return;
  const now = tokensOf(total);
  const before = facts.cumulative;
  const isAnew = before === undefined || now.input + now.cacheRead < before.input + before.cacheRead;
  const added = isAnew ? now : subtractTokens(now, before);
  facts.cumulative = now;
  if (added.input + added.cacheRead + added.output === 0) return;
  facts.tokens = addTranscriptTokens(facts.tokens, { ...added, calls: 1 });
}

/** Codex counts cached tokens among the input, and reasoning among the output. */
function tokensOf(usage: LineFields): TranscriptTokens {
  const cacheRead = countOf(usage["cached_input_tokens"]);
  return {
    input: Math.max(0, countOf(usage["input_tokens"]) - cacheRead),
    cacheCreation: countOf(usage["cache_write_input_tokens"]),
    cacheRead,
    output: countOf(usage["output_tokens"]),
    calls: 0,
  };
}
