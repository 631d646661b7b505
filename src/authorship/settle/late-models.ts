import { findModelInTranscript } from "../../agents/add-model.ts";
import type { AgentId } from "../../agents/agent-event.ts";
import type { Repository } from "../../git/repository.ts";
import { joinAgents } from "../../journal/join-agents.ts";
import { readSessionModel } from "../../journal/log/session-log.ts";
import type { Files } from "../../system/files/files.ts";
import type { FileClaims } from "./settled-note.ts";

interface Place {
  readonly repository: Repository;
  readonly files: Files;
}

/**
 * The models of those sessions behind a commit whose hooks did not know them when they ran: an agent's transcript may name
 * its model only after the first calls. Later hooks have told it, or the transcript is read once more.
 */
export async function findLateModels(
  claims: readonly FileClaims[],
  place: Place,
): Promise<ReadonlyMap<string, string>> {
  const models = new Map<string, string>();
  const agents = joinAgents(...claims.map(({ head }) => head?.agents));
  for (const [session, agent] of Object.entries(agents)) {
    const model = agent.model === "unknown" ? await findLateModel(session, agent, place) : undefined;
    if (model !== undefined) models.set(session, model);
  }
  return models;
}

async function findLateModel(
  session: string,
  agent: AgentId,
  { repository, files }: Place,
): Promise<string | undefined> {
  const { model, transcriptPath } = readSessionModel(repository, files, session);
  if (model !== undefined || transcriptPath === undefined) return model;
  // profiles of all agents are more than a commit's hook otherwise needs
  const { findAgentAdapter } = await import("../../agents/hooks/registry.ts");
  const adapter = findAgentAdapter(agent.tool);
  return adapter && findModelInTranscript(agent, transcriptPath, { adapter, files });
}
