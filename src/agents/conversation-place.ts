import { join } from "node:path";
import { sha256Hex } from "../base/digest.ts";

/** Where an agent looks for a conversation, and the command that continues it. */
export interface ConversationPlace {
  readonly path: string;
  readonly command: string;
}

export interface ConversationFacts {
  readonly sessionId: string;
  /** Real path of the folder in which the agent will be started. */
  readonly folder: string;
  readonly home: string;
  readonly env: NodeJS.ProcessEnv;
  /** The first line of the transcript: some agents file conversations by their date. */
  readonly firstLine: string;
}

/**
 * The place of a conversation by the agent's display name, as checkpoints record it. Undefined for agents that keep
 * conversations where a file cannot be put (a database), for unknown ones, and for ids that must not become paths.
 */
export function findConversationPlace(
  agent: string,
  facts: ConversationFacts,
): ConversationPlace | undefined {
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/.test(facts.sessionId)) return undefined;
  return places.get(agent)?.(facts);
}

const places: ReadonlyMap<string, (facts: ConversationFacts) => ConversationPlace | undefined> = new Map([
  ["Claude Code", claudePlace],
  ["Codex", codexPlace],
  ["Gemini CLI", geminiPlace],
  ["Copilot CLI", copilotPlace],
]);

/** `~/.claude/projects/<folder, everything but letters and digits as "-">/<session>.jsonl` */
function claudePlace({ sessionId, folder, home, env }: ConversationFacts): ConversationPlace {
  const root = env["CLAUDE_CONFIG_DIR"] || join(home, ".claude");
  return {
    path: join(root, "projects", folder.replace(/[^A-Za-z0-9]/g, "-"), `${sessionId}.jsonl`),
    command: `claude -r ${sessionId}`,
  };
}

/** `~/.codex/sessions/YYYY/MM/DD/rollout-<time>-<session>.jsonl`, by the time in the first line. */
function codexPlace({ sessionId, home, env, firstLine }: ConversationFacts): ConversationPlace | undefined {
  const time = /"timestamp"\s*:\s*"((\d{4})-(\d{2})-(\d{2})T\d{2}:\d{2}:\d{2})/.exec(firstLine);
  const [, stamp, year, month, day] = time ?? [];
  if (stamp === undefined || year === undefined || month === undefined || day === undefined) return undefined;
  const name = `rollout-${stamp.replaceAll(":", "-")}-${sessionId}.jsonl`;
  const root = env["CODEX_HOME"] || join(home, ".codex");
  return { path: join(root, "sessions", year, month, day, name), command: `codex resume ${sessionId}` };
}

/** `~/.gemini/tmp/<SHA-256 of the folder>/chats/session-<session>.json` */
function geminiPlace({ sessionId, folder, home }: ConversationFacts): ConversationPlace {
  return {
    path: join(home, ".gemini", "tmp", sha256Hex(folder), "chats", `session-${sessionId}.json`),
    command: `gemini --resume ${sessionId}`,
  };
}

/** `~/.copilot/session-state/<session>/events.jsonl` */
function copilotPlace({ sessionId, home }: ConversationFacts): ConversationPlace {
  return {
    path: join(home, ".copilot", "session-state", sessionId, "events.jsonl"),
    command: `copilot --resume ${sessionId}`,
  };
}
