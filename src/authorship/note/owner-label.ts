import type { AgentId } from "../../agents/agent-event.ts";
import type { Owner } from "./owners.ts";

/** How an owner is named in a column: `claude/sonnet-4-5`, `Alice Smith`. Not made safe for a terminal. */
export function ownerLabel(owner: Owner): string {
  if (owner.kind === "agent") return agentLabel(owner.agent);
  return owner.isStated ? `${humanName(owner.identity)} (stated)` : humanName(owner.identity);
}

/** Tool and model, without what the model's name only repeats: the tool, a vendor's date. */
export function agentLabel({ tool, model }: Pick<AgentId, "tool" | "model">): string {
  const short = shortModel(tool, model);
  return short === "" ? tool : `${tool}/${short}`;
}

function shortModel(tool: string, model: string): string {
  if (model === "unknown" || model === "default") return "";
  const bare = model.replace(/^.*\//, "").replace(/[-@]20\d{6}$/, "");
  return bare.startsWith(`${tool}-`) ? bare.slice(tool.length + 1) : bare;
}

/** `Alice Smith <alice@example.com>` -> `Alice Smith`. */
export function humanName(identity: string): string {
  return identity.replace(/\s*<[^<>]*>\s*$/, "") || identity;
}
