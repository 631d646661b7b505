import type { AgentAdapter } from "../agent-event.ts";
import { agentV1Adapter } from "./agent-v1.ts";
import { claudeAdapter } from "./claude.ts";
import { knownHumanAdapter } from "./known-human.ts";

/** Agents whose payloads need code of their own. They are part of the hook entry; the others are loaded when they call. */
export const builtInAdapters: readonly AgentAdapter[] = [claudeAdapter, agentV1Adapter, knownHumanAdapter];
