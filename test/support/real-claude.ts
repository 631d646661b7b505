import { spawn } from "node:child_process";
import { join } from "node:path";
import { installPackage } from "./agents/install-package.ts";

/** Newer ones may change their hooks: a new version is a decision, and a new recording of the fixtures. */
export const claudeVersion = "2.1.329";

/** The platform's package holds the program itself; the one of the main package is put there by an install script. */
export const claudeProgram = join(
  "node_modules/@anthropic-ai",
  `claude-code-${process.platform}-${process.arch}`,
  "claude",
);

/** True where tests must not use the network: those of real agents are then left out, and say so. */
export const isOffline = Boolean(process.env["KEYFRAME_OFFLINE"]);

/**
 * The real Claude Code, installed once from the npm registry into a directory outside of the project. It is proprietary:
 * it is used by the tests and never distributed.
 */
export function installClaude(): string {
  return join(installPackage("@anthropic-ai/claude-code", claudeVersion), claudeProgram);
}

export interface ClaudeRun {
  readonly program: string;
  readonly modelUrl: string;
  readonly cwd: string;
  /** Everything else of the caller's environment is kept from the agent. */
  readonly env: NodeJS.ProcessEnv;
  readonly prompt: string;
  readonly resume?: string;
}

/** Runs one prompt to its end; returns the conversation's id. */
export async function runClaude(run: ClaudeRun): Promise<string> {
  const args = [
    "-p",
    run.prompt,
    "--output-format",
    "stream-json",
    "--verbose",
    "--permission-mode",
    "acceptEdits",
    "--allowedTools",
    "Bash Write Edit Read Agent",
    ...(run.resume === undefined ? [] : ["--resume", run.resume]),
  ];
  const child = spawn(run.program, args, {
    cwd: run.cwd,
    env: {
      ...run.env,
      TERM: "dumb",
      ANTHROPIC_BASE_URL: run.modelUrl,
      ANTHROPIC_API_KEY: "not-a-key",
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
      DISABLE_TELEMETRY: "1",
      DISABLE_ERROR_REPORTING: "1",
      DISABLE_AUTOUPDATER: "1",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let errors = "";
  child.stdout.setEncoding("utf8").on("data", (piece: string) => {
    output += piece;
  });
  child.stderr.setEncoding("utf8").on("data", (piece: string) => {
    errors += piece;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  const id = /"session_id":"([^"]+)"/.exec(output)?.[1];
  if (code !== 0 || id === undefined)
    throw new Error(`claude ended with ${code}: ${errors}\n${output.slice(-3000)}`);
  return id;
}
