import type { AgentId } from "../../agents/agent-event.ts";
import { sessionKey } from "../../authorship/note/keys.ts";
import type { Repository } from "../../git/repository.ts";
import { readSessionRecords } from "../../journal/log/session-log.ts";
import type { CaptureDeps } from "./transcript.ts";

const maxRecordedPrompts = 100;

/** The prompts that hooks saw, redacted, the newest last: for sessions whose transcript nobody can read. */
export function recordedPrompts(
  repository: Repository,
  { files, redactor }: Pick<CaptureDeps, "files" | "redactor">,
  agent: Pick<AgentId, "tool" | "id">,
): string[] {
  const prompts: string[] = [];
  for (const record of readSessionRecords(repository, files, sessionKey(agent))) {
    if (record.kind === "prompt" && record.prompt.trim() !== "") prompts.push(record.prompt);
    if (prompts.length > maxRecordedPrompts) prompts.shift();
  }
  return prompts.map((prompt) => redactor.redactText(prompt));
}
