import { speakerOf, stripContextTags } from "../compact/claude.ts";
import { fieldsOf, type LineFields, listOf, textOf } from "../json-fields.ts";
import { countOf, noteModel, notePath, notePrompt, noteSummary, noteUsage } from "./note-facts.ts";
import type { TranscriptFacts, TranscriptTokens } from "./transcript-facts.ts";

const editTools = new Set([
  "Write",
  "Edit",
  "MultiEdit",
  "NotebookEdit",
  "mcp__acp__Write",
  "mcp__acp__Edit",
  // Cursor, Factory Droid, and agents whose lines are brought into this form
  "StrReplace",
  "Create",
  "write_file",
  "edit",
  "replace",
  "editor",
  "save-file",
  "str-replace-editor",
]);
const pathFields = ["file_path", "notebook_path", "path", "filePath"];
const subagentTools = new Set(["Task", "Agent"]);

/**
 * One line of Claude Code's transcript: `{type, uuid, timestamp, message{role, id, model, content[], usage}}`. Cursor
 * and Factory Droid write the same with less in it.
 */
export function scanClaudeLine(line: LineFields, number: number, facts: TranscriptFacts): void {
  const message = fieldsOf(line["message"]);
  if (message === undefined) {
    noteOwnSummary(line, facts);
    return;
  }
  const speaker = speakerOf(line, message);
  if (speaker === "assistant") scanAssistant(line, message, { number, facts });
  else if (speaker === "user") scanUser(line, message, { number, facts });
}

/**
 * `{type: "summary", summary, leafUuid}`, `{type: "ai-title", aiTitle}` and what the user set, `{type: "custom-title",
 * customTitle}`. Summaries before the first prompt are of other conversations of the directory.
 */
function noteOwnSummary(line: LineFields, facts: TranscriptFacts): void {
  if (line["type"] === "ai-title") noteSummary(textOf(line["aiTitle"]), facts);
  else if (line["type"] === "custom-title") noteSummary(textOf(line["customTitle"]), facts);
  else if (line["type"] === "summary" && facts.prompts.length > 0)
    noteSummary(textOf(line["summary"]), facts);
}

interface Place {
  readonly number: number;
  readonly facts: TranscriptFacts;
}

function scanAssistant(line: LineFields, message: LineFields, { number, facts }: Place): void {
  noteModel(textOf(message["model"]), facts);
  const usage = fieldsOf(message["usage"]);
  if (usage !== undefined) noteUsage(textOf(message["id"]) ?? `line-${number}`, tokensOf(usage), facts);
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
      notePath(editTargetOf(input), facts);
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

function editTargetOf(input: LineFields | undefined): string | undefined {
  return pathFields.map((name) => textOf(input?.[name])).find((path) => path !== undefined);
}

function tokensOf(usage: LineFields): TranscriptTokens {
  return {
    input: countOf(usage["input_tokens"]),
    cacheCreation: countOf(usage["cache_creation_input_tokens"]),
    cacheRead: countOf(usage["cache_read_input_tokens"]),
    output: countOf(usage["output_tokens"]),
    calls: 1,
  };
}

function scanUser(line: LineFields, message: LineFields, { number, facts }: Place): void {
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
  notePrompt(text, number, facts);
}

function textBlock(value: unknown): string[] {
  const block = fieldsOf(value);
  const text = block?.["type"] === "text" ? textOf(block["text"]) : undefined;
  return text === undefined ? [] : [text];
}
