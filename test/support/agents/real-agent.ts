import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { AgentAction, ScriptedCall, ScriptedReply } from "./agent-actions.ts";
import { installPackage } from "./install-package.ts";
import { startScriptedEndpoint } from "./scripted-endpoint.ts";

/** Where one run of an agent happens. */
export interface AgentRun {
  /** Address of the scripted model. */
  readonly url: string;
  readonly cwd: string;
  readonly home: string;
  readonly prompt: string;
  /** The conversation to go on with. */
  readonly resume?: string;
}

/** A real program, how it is pointed at a scripted model, and what its tools are called. */
export interface RealAgent {
  /** As `keyframe enable --agent` takes it. */
  readonly name: string;
  readonly packageName: string;
  readonly version: string;
  /** From the directory of the package. */
  readonly program: string;
  /** Its minimum of Node is above the project's: it is run by the npm package `node`. */
  readonly wantsNewerNode?: boolean;
  /** Its hooks work in the home alone. */
  readonly isHomeOnly?: boolean;
  readonly model: string;
  /** Settings, by path from the home. */
  readonly files: (run: Pick<AgentRun, "url" | "cwd">) => Readonly<Record<string, string>>;
  readonly env: (run: AgentRun) => NodeJS.ProcessEnv;
  readonly args: (run: AgentRun) => readonly string[];
  /** Words of an earlier command line, before the first prompt. */
  readonly setup?: (run: AgentRun) => readonly string[];
  readonly calls: (action: Exclude<AgentAction, { do: "say" }>, cwd: string) => ScriptedCall;
  /** What it leaves behind and has to be ended, by process id. */
  readonly leftovers?: (home: string) => readonly number[];
  readonly can: {
    readonly resume: boolean;
    /** False: it writes no file whose name holds quotes. */
    readonly quotedPaths?: false;
    /** Its transcript tells prompts. */
    readonly transcript: boolean;
  };
}

const newerNode = { name: "node", version: "24.21.0" };

/** The directory of a newer Node, for agents that need one. */
export function newerNodeFolder(): string {
  return join(installPackage(newerNode.name, newerNode.version), "node_modules/node/bin");
}

/** What an agent is told and does in one prompt. */
export interface ScriptedRun {
  readonly agent: RealAgent;
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly prompt: string;
  readonly replies: readonly (readonly AgentAction[])[];
  readonly resume?: string;
}

/** Runs one prompt of the real program to its end; returns what it printed. */
export async function runRealAgent({
  agent,
  cwd,
  env,
  prompt,
  replies,
  resume,
}: ScriptedRun): Promise<string> {
  const folder = installPackage(agent.packageName, agent.version);
  const script = [{ marker: prompt, replies: replies.map((actions) => replyOf(actions, agent, cwd)) }];
  const endpoint = await startScriptedEndpoint(script);
  const home = env["HOME"] ?? "";
  const run: AgentRun = { url: endpoint.url, cwd, home, prompt, ...(resume === undefined ? {} : { resume }) };
  try {
    writeAgentSettings(agent, run);
    const program = join(folder, agent.program);
    const path = agent.wantsNewerNode === true ? `${newerNodeFolder()}:${env["PATH"]}` : env["PATH"];
    const own = { ...env, ...agent.env(run), PATH: path, TERM: "dumb", NO_COLOR: "1" };
    if (agent.setup !== undefined && resume === undefined)
      await runProgram(program, agent.setup(run), { cwd, env: own });
    return await runProgram(program, agent.args(run), { cwd, env: own });
  } finally {
    for (const pid of agent.leftovers?.(home) ?? []) process.kill(pid);
    await endpoint.close();
  }
}

/** The agent's own settings; in those that are there, with our hooks in them, only the address is renewed. */
export function writeAgentSettings(agent: RealAgent, run: Pick<AgentRun, "url" | "cwd" | "home">): void {
  for (const [path, text] of Object.entries(agent.files(run))) {
    const whole = join(run.home, path);
    mkdirSync(dirname(whole), { recursive: true });
    const found = existsSync(whole) ? readFileSync(whole, "utf8") : text;
    writeFileSync(whole, found.replaceAll(/http:\/\/127\.0\.0\.1:\d+/g, run.url));
  }
}

function replyOf(actions: readonly AgentAction[], agent: RealAgent, cwd: string): ScriptedReply {
  const texts = actions.flatMap((action) => (action.do === "say" ? [action.text] : []));
  const calls = actions.flatMap((action) => (action.do === "say" ? [] : [agent.calls(action, cwd)]));
  return { text: texts.join("\n"), calls };
}

/** An agent that hangs is ended after this. */
const longestRunMs = 240_000;

async function runProgram(
  program: string,
  args: readonly string[],
  { cwd, env }: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): Promise<string> {
  const child = spawn(program, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (piece: string) => {
      output += piece;
    });
  const timer = setTimeout(() => child.kill(), longestRunMs);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", resolve);
  });
  clearTimeout(timer);
  child.stdout.destroy();
  child.stderr.destroy();
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${output.slice(-4000)}`);
  return output;
}
