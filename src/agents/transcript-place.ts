import { join } from "node:path";

export interface TranscriptPlace {
  readonly session: string;
  /** Absolute path of the folder that the agent works in. */
  readonly workTree: string;
  readonly env: NodeJS.ProcessEnv;
}

/** Where an agent keeps a conversation, whether or not it is there; undefined for agents and ids that are not known. */
export function findTranscriptPath(
  tool: string,
  { session, workTree, env }: TranscriptPlace,
): string | undefined {
  if (tool !== "claude" || !/^[A-Za-z0-9_-]{1,200}$/.test(session)) return undefined;
  return join(claudeProjectFolder({ workTree, env }), `${session}.jsonl`);
}

/** Claude Code's folder for the conversations of a work tree: its path with other characters replaced. */
export function claudeProjectFolder({ workTree, env }: Omit<TranscriptPlace, "session">): string {
  const home = env["CLAUDE_CONFIG_DIR"] || join(env["HOME"] ?? "/", ".claude");
  return join(home, "projects", workTree.replace(/[^A-Za-z0-9]/g, "-"));
}

/** The command that continues a conversation. */
export function resumeCommandOf(tool: string, session: string): string | undefined {
  const commands: Readonly<Record<string, string>> = {
    claude: "claude -r",
    codex: "codex resume",
    gemini: "gemini --resume",
  };
  const command = commands[tool];
  return command === undefined || !/^[A-Za-z0-9_.-]+$/.test(session) ? undefined : `${command} ${session}`;
}
