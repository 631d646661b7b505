import type { AgentAdapter } from "../agent-event.ts";
import { agentV1Adapter } from "./agent-v1.ts";
import { claudeAdapter } from "./claude.ts";
import { knownHumanAdapter } from "./known-human.ts";

/** Every program whose hook payloads Keyframe reads. */
export const agentAdapters: readonly AgentAdapter[] = [claudeAdapter, agentV1Adapter, knownHumanAdapter];

export function findAgentAdapter(name: string): AgentAdapter | undefined {
  return agentAdapters.find((adapter) => adapter.name === name);
}
