import type { AgentAdapter } from "../agent-event.ts";
import { asFields } from "../fields.ts";
import { builtInAdapters } from "./built-in-adapters.ts";
import { commandProfiles } from "./command-profiles.ts";
import { editorProfiles } from "./editor-profiles.ts";
import { senderOf } from "./payload-sender.ts";
import { pluginProfiles } from "./plugin-profiles.ts";
import type { HookProfile } from "./profile.ts";
import { createProfileAdapter } from "./profile-adapter.ts";

/** Agents that are described by data. */
export const hookProfiles: readonly HookProfile[] = [
  ...commandProfiles,
  ...pluginProfiles,
  ...editorProfiles,
];

/** Every program whose hook payloads Keyframe reads. */
export const agentAdapters: readonly AgentAdapter[] = [
  ...builtInAdapters,
  ...hookProfiles.map(createProfileAdapter).map(withSharedCommand),
];

/** The adapter for what `keyframe hook <name>` reads. */
export function findAgentAdapter(name: string): AgentAdapter | undefined {
  return agentAdapters.find((adapter) => adapter.name === name);
}

/** VS Code runs the hooks files of Copilot CLI too, and sends payloads of its own shape to the same command. */
function withSharedCommand(adapter: AgentAdapter): AgentAdapter {
  if (adapter.name !== "copilot") return adapter;
  return {
    ...adapter,
    parsePayload(payload, eventName) {
      const sender = senderOf(asFields(payload) ?? {})?.sender;
      const other = sender === "vscode-copilot" ? findAgentAdapter(sender) : undefined;
      return (other ?? adapter).parsePayload(payload, eventName);
    },
  };
}
