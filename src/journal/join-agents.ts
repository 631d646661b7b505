import type { AgentId } from "../agents/agent-event.ts";

export type KnownAgents = Readonly<Record<string, AgentId>>;

/**
 * What is known of conversations, by session key. What comes later counts, except that it does not take away a model: the
 * first hooks of an agent may run before its transcript names one.
 */
export function joinAgents(...known: readonly (KnownAgents | undefined)[]): Record<string, AgentId> {
  const joined: Record<string, AgentId> = {};
  for (const agents of known)
    for (const [session, agent] of Object.entries(agents ?? {})) {
      const model = agent.model === "unknown" ? (joined[session]?.model ?? agent.model) : agent.model;
      joined[session] = { ...agent, model };
    }
  return joined;
}
