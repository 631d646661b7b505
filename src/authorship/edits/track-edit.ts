import type { AgentEvent } from "../../agents/agent-event.ts";
import { findAgentProcess } from "../../agents/agent-process.ts";
import { sha256Hex } from "../../base/digest.ts";
import type { Repository } from "../../git/repository.ts";
import { type OpenEdit, writeOpenEdit } from "../../journal/calls/open-edits.ts";
import type { Files } from "../../system/files/files.ts";
import type { ObserveDeps } from "./edit-cause.ts";

/** Larger files are not read to foretell what an edit makes of them. */
const maxForetoldBytes = 1024 * 1024;

/** Keeps an edit on record from its beginning on, with what it is to leave in each file. */
export function writeBegunEdit(
  event: Extract<AgentEvent, { readonly kind: "before-edit" }>,
  repository: Repository,
  { files, clock, processTable }: ObserveDeps,
): void {
  const { agent, toolUseId, toolName, subagentId, expected } = event;
  const edited = event.paths.map((path) => {
    const after = expected?.(textIfFile(path, files));
    return after === undefined ? { path } : { path, expected: sha256Hex(after) };
  });
  const agentProcess = findAgentProcess(processTable);
  writeOpenEdit(repository, files, {
    agent,
    toolUseId,
    toolName,
    ...(subagentId ? { subagentId } : {}),
    at: clock.nowMs(),
    ...(agentProcess ? { agentProcess } : {}),
    files: edited,
  });
}

/** Whether the file is what the call was to leave, where its payload told that. */
export function holdsExpected({ path, expected }: OpenEdit["files"][number], files: Files): boolean {
  if (expected === undefined) return false;
  const text = textIfFile(path, files);
  return text !== undefined && sha256Hex(text) === expected;
}

function textIfFile(path: string, files: Files): string | undefined {
  const stat = files.statIfExists(path);
  if (stat?.kind !== "file" || stat.sizeBytes > maxForetoldBytes) return undefined;
  return files.readIfExists(path)?.toString("utf8");
}
