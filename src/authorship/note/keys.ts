import type { AgentId } from "../../agents/agent-event.ts";
import { sha256Hex } from "../../base/digest.ts";
import { type Random, randomHex } from "../../system/random.ts";

/** Keys of the authorship log (docs/formats/authorship-log.md): a prefix and 14 hex digits. */
const keyDigits = 14;

/** `s_...` of an agent's conversation: the same for everyone who knows tool and id. */
export function sessionKey(agent: Pick<AgentId, "tool" | "id">): string {
  return `s_${sha256Hex(`${agent.tool}:${agent.id}`).slice(0, keyDigits)}`;
}

/** `h_...` of a known human; the identity is `Name <email>`. */
export function humanKey(identity: string): string {
  return `h_${sha256Hex(identity).slice(0, keyDigits)}`;
}

/** `h_...` of a person for lines that are theirs on their word alone, told apart from those that an editor saw. */
export function statedHumanKey(identity: string): string {
  return humanKey(`${identity}\0stated`);
}

/** A new `t_...`: names one recorded edit, so that its lines can be told from others of the session. */
export function traceKey(random: Random): string {
  return `t_${randomHex(random, keyDigits)}`;
}

/** The `t_...` of a tool call: the same however often, and by whichever process, the call is recorded. */
export function traceOfToolCall(agent: Pick<AgentId, "tool" | "id">, toolUseId: string): string {
  return `t_${sha256Hex(`${agent.tool}:${agent.id}:${toolUseId}`).slice(0, keyDigits)}`;
}

/** Key of an agent's line: the session and the edit. */
export function agentLineKey(session: string, trace: string): string {
  return `${session}::${trace}`;
}

export interface SplitKey {
  readonly session: string;
  /** Absent in some old notes. */
  readonly trace: string | undefined;
}

/** `s_...::t_...` in its parts; undefined for any other kind of key. Lengths are not fixed by the format. */
export function splitAgentLineKey(key: string): SplitKey | undefined {
  if (!key.startsWith("s_")) return undefined;
  const at = key.indexOf("::");
  return at === -1
    ? { session: key, trace: undefined }
    : { session: key.slice(0, at), trace: key.slice(at + 2) };
}
