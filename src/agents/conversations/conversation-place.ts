import { basename, dirname, join } from "node:path";
import { sha256Hex } from "../../base/digest.ts";

/** Where an agent looks for a conversation, and the command that continues it. */
export interface ConversationPlace {
  readonly path: string;
  readonly command: string;
}

export interface ConversationFacts {
  readonly sessionId: string;
  /** Real path of the directory in which the agent is started. */
  readonly folder: string;
  readonly home: string;
  readonly env: NodeJS.ProcessEnv;
  /** The first line of the transcript: some agents file conversations by their date. */
  readonly firstLine: string;
}

/**
 * The place of a conversation, by our name of its agent. Undefined for agents that keep conversations where a file
 * cannot be put (a database), for those whose files nobody has described, and for ids that must not become paths.
 */
export function findConversationPlace(tool: string, facts: ConversationFacts): ConversationPlace | undefined {
  const command = resumeCommandOf(tool, facts.sessionId);
  const path = command === undefined ? undefined : places.get(tool)?.(facts);
  return command === undefined || path === undefined ? undefined : { path, command };
}

/** The command that continues a conversation. */
export function resumeCommandOf(tool: string, sessionId: string): string | undefined {
  const command = commands.get(tool);
  return command === undefined || !isConversationId(sessionId) ? undefined : `${command} ${sessionId}`;
}

/** The command that goes on from a conversation in one of its own: others continue the same one. */
export function forkCommandOf(tool: string, sessionId: string): string | undefined {
  if (!isConversationId(sessionId)) return undefined;
  return tool === "codex"
    ? `codex fork ${sessionId}`
    : tool === "claude"
      ? `claude -r ${sessionId} --fork-session`
      : resumeCommandOf(tool, sessionId);
}

/** True for ids that may become part of a path and of a command. */
export function isConversationId(id: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/.test(id);
}

/**
 * Where a subagent's own transcript lies beside that of its conversation; undefined for names that are none, and for
 * agents of which that is not known.
 */
export function subagentTranscriptPath(
  tool: string,
  conversation: string,
  agentId: string,
): string | undefined {
  if (tool !== "claude" || !/^[A-Za-z0-9_-]{1,200}$/.test(agentId)) return undefined;
  return join(dirname(conversation), basename(conversation, ".jsonl"), "subagents", `agent-${agentId}.jsonl`);
}

const commands: ReadonlyMap<string, string> = new Map([
  ["claude", "claude -r"],
  ["codex", "codex resume"],
  ["gemini", "gemini --resume"],
  ["copilot", "copilot --resume"],
  ["pi", "pi --session"],
  ["qwen", "qwen --resume"],
  ["droid", "droid exec --fork"],
  ["auggie", "auggie --resume"],
]);

const places: ReadonlyMap<string, (facts: ConversationFacts) => string | undefined> = new Map([
  ["claude", claudePath],
  ["codex", codexPath],
  ["gemini", geminiPath],
  ["copilot", copilotPath],
  ["pi", piPath],
  ["qwen", qwenPath],
  ["droid", droidPath],
  ["auggie", auggiePath],
]);

/** `~/.claude/projects/<folder, everything but letters and digits as "-">/<session>.jsonl` */
function claudePath({ sessionId, folder, home, env }: ConversationFacts): string {
  const root = env["CLAUDE_CONFIG_DIR"] || join(home, ".claude");
  return join(root, "projects", folder.replace(/[^A-Za-z0-9]/g, "-"), `${sessionId}.jsonl`);
}

export function codexHome({ home, env }: Pick<ConversationFacts, "home" | "env">): string {
  return env["CODEX_HOME"] || join(home, ".codex");
}

/** `~/.codex/sessions/YYYY/MM/DD/rollout-<time>-<session>.jsonl`, by the time in the first line. */
function codexPath(facts: ConversationFacts): string | undefined {
  const time = /"timestamp"\s*:\s*"((\d{4})-(\d{2})-(\d{2})T\d{2}:\d{2}:\d{2})/.exec(facts.firstLine);
  const [, stamp, year, month, day] = time ?? [];
  if (stamp === undefined || year === undefined || month === undefined || day === undefined) return undefined;
  const name = `rollout-${stamp.replaceAll(":", "-")}-${facts.sessionId}.jsonl`;
  return join(codexHome(facts), "sessions", year, month, day, name);
}

/**
 * `~/.gemini/tmp/<SHA-256 of the folder>/chats/session-<session>.json`, of versions that wrote one document. Those that
 * write lines choose the directory's name themselves.
 */
function geminiPath({ sessionId, folder, home, firstLine }: ConversationFacts): string | undefined {
  const isDocument = firstLine.trim() === "{" || firstLine.includes('"messages"');
  if (!isDocument) return undefined;
  return join(home, ".gemini", "tmp", sha256Hex(folder), "chats", `session-${sessionId}.json`);
}

/** `~/.copilot/session-state/<session>/events.jsonl` */
function copilotPath({ sessionId, home }: ConversationFacts): string {
  return join(home, ".copilot", "session-state", sessionId, "events.jsonl");
}

/**
 * `~/.pi/agent/sessions/--<folder, "/" as "-">--/<time>_<session>.jsonl`, by the time in the first line. How it spells
 * other characters of a directory is not known.
 */
function piPath({ sessionId, folder, home, firstLine }: ConversationFacts): string | undefined {
  const stamp = /"timestamp"\s*:\s*"(\d{4}-\d{2}-\d{2}T[0-9:.]{8,12}Z)"/.exec(firstLine)?.[1];
  if (stamp === undefined || !/^[A-Za-z0-9/_-]+$/.test(folder)) return undefined;
  const name = `--${folder.replace(/^\//, "").replaceAll("/", "-")}--`;
  return join(home, ".pi/agent/sessions", name, `${stamp.replace(/[:.]/g, "-")}_${sessionId}.jsonl`);
}

/** `~/.qwen/projects/<folder, everything but letters and digits as "-">/chats/<session>.jsonl` */
function qwenPath({ sessionId, folder, home }: ConversationFacts): string {
  return join(home, ".qwen/projects", folder.replace(/[^A-Za-z0-9]/g, "-"), "chats", `${sessionId}.jsonl`);
}

/** `~/.factory/sessions/<folder, "/" as "-">/<session>.jsonl`. How it spells other characters is not known. */
function droidPath({ sessionId, folder, home }: ConversationFacts): string | undefined {
  if (!/^[A-Za-z0-9/_-]+$/.test(folder)) return undefined;
  return join(home, ".factory/sessions", folder.replaceAll("/", "-"), `${sessionId}.jsonl`);
}

/** `~/.augment/sessions/<session>.json` */
function auggiePath({ sessionId, home }: ConversationFacts): string {
  return join(home, ".augment/sessions", `${sessionId}.json`);
}
