import { dirname } from "node:path";
import type { Files } from "../system/files/files.ts";
import type { AgentAdapter, AgentEvent, AgentId, TailReader } from "./agent-event.ts";

/**
 * The event with its model looked up, where the payload did not name it and lines may be credited by it. Reads the end
 * of one transcript at most twice.
 */
export function addModel(event: AgentEvent, adapter: AgentAdapter, files: Files): AgentEvent {
  // a shell call is credited with a commit that is made while it runs, so its start needs the model too
  if (event.kind !== "after-edit" && event.kind !== "before-shell" && event.kind !== "after-shell")
    return event;
  if (event.agent.model !== "unknown") return event;
  const model = adapter.findModel?.(event, tailReader(files));
  return model === undefined ? event : { ...event, agent: { ...event.agent, model } };
}

/** The model that the transcript of a conversation names by now; undefined if it cannot be told. */
export function findModelInTranscript(
  agent: AgentId,
  transcriptPath: string,
  { adapter, files }: { readonly adapter: AgentAdapter; readonly files: Files },
): string | undefined {
  const event = { kind: "turn-end", agent, cwd: dirname(transcriptPath), transcriptPath } as const;
  return adapter.findModel?.(event, tailReader(files));
}

/** The path comes from a payload: only a regular file is opened, so that no device or pipe can hold the hook up. */
function tailReader(files: Files): TailReader {
  return (path, maxBytes) => {
    try {
      return files.statTargetIfExists(path)?.kind === "file" ? files.readTail(path, maxBytes) : undefined;
    } catch {
      return undefined; // not readable: the model stays unknown
    }
  };
}
