import type { AgentEvent, TailReader } from "../agent-event.ts";
import { asFields, asName } from "../fields.ts";
import { transcriptTailBytes } from "../limits.ts";
import { subagentTranscriptPath } from "./conversation-place.ts";

/**
 * Claude Code's payloads do not name the model; its transcript does, in every message of the assistant. A subagent
 * has a transcript of its own: `<conversation>/subagents/agent-<id>.jsonl`.
 */
export function findClaudeModel(event: AgentEvent, readTail: TailReader): string | undefined {
  if (!("transcriptPath" in event) || event.transcriptPath === undefined) return undefined;
  const conversation = event.transcriptPath;
  const own =
    event.subagentId === undefined
      ? undefined
      : subagentTranscriptPath("claude", conversation, event.subagentId);
  for (const path of own === undefined ? [conversation] : [own, conversation]) {
    const tail = readTail(path, transcriptTailBytes);
    const model = tail === undefined ? undefined : lastModel(tail);
    if (model !== undefined) return model;
  }
  return undefined;
}

/** The model of the last assistant message that a model wrote; Claude marks its own messages `<synthetic>`. */
function lastModel(tail: Buffer): string | undefined {
  let end = tail.length;
  while (end > 0) {
    const start = tail.lastIndexOf(0x0a, end - 1) + 1;
    const model = assistantModel(tail.subarray(start, end));
    if (model !== undefined) return model;
    end = start - 1;
  }
  return undefined;
}

function assistantModel(line: Buffer): string | undefined {
  // most of a transcript's bytes are other records: only lines that can answer are parsed
  if (!line.includes('"assistant"') || !line.includes('"model"')) return undefined;
  try {
    const message = asFields(asFields(JSON.parse(line.toString("utf8")))?.["message"]);
    const model = message?.["role"] === "assistant" ? asName(message["model"]) : undefined;
    return model?.startsWith("<") ? undefined : model;
  } catch {
    return undefined; // the first line of the tail is cut, the last may still be being written
  }
}
