import type { Files } from "../../system/files/files.ts";
import { addModel } from "../add-model.ts";
import type { AgentAdapter, AgentEvent } from "../agent-event.ts";
import { findConversationFile } from "../conversations/find-conversation.ts";

export interface EventSurroundings {
  readonly files: Files;
  readonly home: string;
  readonly env: NodeJS.ProcessEnv;
}

/** The event with what its payload leaves out and the agent's own files say: where its transcript lies, and the model. */
export function completeEvent(
  event: AgentEvent,
  adapter: AgentAdapter,
  { files, home, env }: EventSurroundings,
): AgentEvent {
  return addModel(withTranscript(event, adapter, { files, home, env }), adapter, files);
}

function withTranscript(
  event: AgentEvent,
  adapter: AgentAdapter,
  { files, home, env }: EventSurroundings,
): AgentEvent {
  if (!("agent" in event) || event.transcriptPath !== undefined) return event;
  const isAboutSession = ["prompt", "turn-end", "session-end"].includes(event.kind);
  const isModelSought = event.agent.model === "unknown" && adapter.findModel !== undefined;
  if (!isAboutSession && !isModelSought) return event;
  const { tool, id } = event.agent;
  const facts = { sessionId: id, folder: files.realPathIfExists(event.cwd) ?? event.cwd, home, env };
  const transcriptPath = findConversationFile(tool, facts, files);
  return transcriptPath === undefined ? event : { ...event, transcriptPath };
}
