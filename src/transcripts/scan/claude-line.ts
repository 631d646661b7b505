import { stripContextTags } from "../compact/claude.ts";
import { type Fields, fieldsOf, listOf, numberOf, textOf } from "../compact/json-fields.ts";
import {
  addTranscriptTokens,
  subtractTokens,
  type TranscriptFacts,
  type TranscriptTokens,
} from "./transcript-facts.ts";

/** Messages that are still looked for: the rows of one message lie close together. */
const maxOpenMessages = 16;
const maxPromptLength = 100_000;
const editTools = new Set([
  "Write",
  "Edit",
  "MultiEdit",
  "NotebookEdit",
  "mcp__acp__Write",
  "mcp__acp__Edit",
]);
const subagentTools = new Set(["Task", "Agent"]);

/** One line of Claude Code's transcript: `{type, uuid, timestamp, message{role, id, model, content[], usage}}`. */
export function scanClaudeLine(line: Fields, number: number, facts: TranscriptFacts): void {
  const message = fieldsOf(line["message"]);
  if (message === undefined) return;
  if (line["type"] === "assistant") scanAssistant(line, message, { number, facts });
  else if (line["type"] === "user") scanUser(line, message, { number, facts });
}

interface Place {
  readonly number: number;
  readonly facts: TranscriptFacts;
}

function scanAssistant(line: Fields, message: Fields, { number, facts }: Place): void {
  const model = textOf(message["model"]);
  if (model !== undefined && !model.startsWith("<")) facts.model = model.slice(0, 200);
  const usage = fieldsOf(message["usage"]);
  if (usage !== undefined) countUsage(textOf(message["id"]) ?? `line-${number}`, tokensOf(usage), facts);
  if (line["isSidechain"] !== true) {
    const types = listOf(message["content"]).map((block) => fieldsOf(block)?.["type"]);
    facts.open = !types.includes("text") || types.includes("tool_use");
  }
  for (const value of listOf(message["content"])) {
    const block = fieldsOf(value);
    if (block?.["type"] !== "tool_use") continue;
    const input = fieldsOf(block["input"]);
    const name = textOf(block["name"]) ?? "";
    if (editTools.has(name)) {
      const path = textOf(input?.["file_path"]) ?? textOf(input?.["notebook_path"]);
      if (path !== undefined && !facts.editedPaths.includes(path)) facts.editedPaths.push(path);
    }
    const toolUseId = textOf(block["id"]);
    if (!subagentTools.has(name) || toolUseId === undefined) continue;
    facts.tasks.push({
      line: number,
      toolUseId,
      type: textOf(input?.["subagent_type"]),
      description: textOf(input?.["description"]),
      startedAt: textOf(line["timestamp"]),
      agentId: undefined,
      completedAt: undefined,
    });
  }
}

function tokensOf(usage: Fields): TranscriptTokens {
  const count = (name: string) => Math.max(0, Math.trunc(numberOf(usage[name]) ?? 0));
  return {
    input: count("input_tokens"),
    cacheCreation: count("cache_creation_input_tokens"),
    cacheRead: count("cache_read_input_tokens"),
    output: count("output_tokens"),
    calls: 1,
  };
}

/** Of several rows of one message the one with the highest output counts, once. */
function countUsage(id: string, tokens: TranscriptTokens, facts: TranscriptFacts): void {
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

function scanUser(line: Fields, message: Fields, { number, facts }: Place): void {
  const content = message["content"];
  for (const value of listOf(content)) {
    const block = fieldsOf(value);
    if (block?.["type"] !== "tool_result") continue;
    if (line["isSidechain"] !== true) facts.open = true;
    const agentId = textOf(fieldsOf(line["toolUseResult"])?.["agentId"]);
    const task = facts.tasks.find(({ toolUseId }) => toolUseId === block["tool_use_id"]);
    if (task === undefined) continue;
    task.agentId = agentId ?? task.agentId;
    task.completedAt = textOf(line["timestamp"]) ?? task.completedAt;
  }
  // what the agent itself puts in as a user, and what its subagents were asked, is nobody's prompt
  if (line["isMeta"] === true || line["isSidechain"] === true || line["isCompactSummary"] === true) return;
  const texts = typeof content === "string" ? [content] : listOf(content).flatMap(textBlock);
  const text = stripContextTags(texts.join("\n"));
  if (text === "" || text.startsWith("[Request interrupted")) return;
  facts.open = true;
  facts.prompts.push({ line: number, text: text.slice(0, maxPromptLength) });
}

function textBlock(value: unknown): string[] {
  const block = fieldsOf(value);
  const text = block?.["type"] === "text" ? textOf(block["text"]) : undefined;
  return text === undefined ? [] : [text];
}
