import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { AgentAction, ScriptedCall, ScriptedReply, ToolAction } from "./agent-actions.ts";
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
  readonly calls: (action: PlainAction, cwd: string) => ScriptedCall;
  /** Actions for which it has a tool of its own; those it has none for do not happen. */
  readonly more?: {
    readonly delete?: (path: string) => ScriptedCall;
    readonly rename?: (path: string, to: string) => ScriptedCall;
    /** Without it the command puts itself into the background. */
    readonly background?: (command: string) => ScriptedCall;
    readonly delegate?: (prompt: string) => ScriptedCall;
  };
  /** A run in which it may look and must not touch. */
  readonly plan?: (run: AgentRun) => readonly string[];
  /** A new conversation that begins with the past of `run.resume`. */
  readonly fork?: (run: AgentRun) => readonly string[];
  /** How it is brought to make its past shorter. */
  readonly compact?: {
    /** Tokens after which it does so by itself. */
    readonly fullAt: number;
    readonly env?: NodeJS.ProcessEnv;
    readonly words?: readonly string[];
  };
  /** What it leaves behind and has to be ended, by process id. */
  readonly leftovers?: (home: string) => readonly number[];
  /** Scenarios that do not hold for it, with what it lacks or does not tell. */
  readonly limits?: Readonly<Record<string, string>>;
  readonly can: {
    readonly resume: boolean;
    /** False: it writes no file whose name holds quotes. */
    readonly quotedPaths?: false;
    /** Its transcript tells prompts. */
    readonly transcript: boolean;
  };
}

/** Actions for which every agent has a tool. */
export type PlainAction = Extract<ToolAction, { do: "read" | "write" | "edit" | "shell" }>;

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
  /** What its subagents do, by their prompts. */
  readonly subagents?: Readonly<Record<string, readonly (readonly AgentAction[])[]>>;
  readonly resume?: string;
  readonly how?: "plan" | "fork" | "compact";
  /** The run is interrupted, as by a person at a terminal, once this file is there. */
  readonly interruptAt?: string;
}

export interface RunResult {
  readonly output: string;
  /** The requests of its loop, as text. */
  readonly asked: readonly string[];
  /** How often it asked for a summary of its past. */
  readonly summaries: number;
}

/** Runs one prompt of the real program to its end; returns what it printed. */
export async function runRealAgent(scripted: ScriptedRun): Promise<RunResult> {
  const { agent, cwd, env, prompt, replies, resume, how, interruptAt } = scripted;
  const folder = installPackage(agent.packageName, agent.version);
  const scriptOf = (marker: string, actions: ScriptedRun["replies"]) => ({
    marker,
    replies: actions.map((one) => replyOf(one, agent, cwd)),
  });
  const subagents = Object.entries(scripted.subagents ?? {}).map(([marker, own]) => scriptOf(marker, own));
  const main = { ...scriptOf(prompt, replies), inOrder: how === "compact" };
  const endpoint = await startScriptedEndpoint([...subagents, main]);
  const home = env["HOME"] ?? "";
  const run: AgentRun = { url: endpoint.url, cwd, home, prompt, ...(resume === undefined ? {} : { resume }) };
  try {
    writeAgentSettings(agent, run);
    const program = join(folder, agent.program);
    const path = agent.wantsNewerNode === true ? `${newerNodeFolder()}:${env["PATH"]}` : env["PATH"];
    const extra = how === "compact" ? agent.compact?.env : {};
    const own = { ...env, ...agent.env(run), ...extra, PATH: path, TERM: "dumb", NO_COLOR: "1" };
    if (agent.setup !== undefined && resume === undefined)
      await runProgram(program, agent.setup(run), { cwd, env: own });
    const output = await runProgram(program, argsOf(agent, run, how), { cwd, env: own, interruptAt });
    return { output, asked: endpoint.asked, summaries: endpoint.summaries };
  } finally {
    for (const pid of agent.leftovers?.(home) ?? []) process.kill(pid);
    await endpoint.close();
  }
}

function argsOf(agent: RealAgent, run: AgentRun, how: ScriptedRun["how"]): readonly string[] {
  if (how === "plan") return agent.plan?.(run) ?? agent.args(run);
  if (how === "fork") return agent.fork?.(run) ?? agent.args(run);
  return [...(how === "compact" ? (agent.compact?.words ?? []) : []), ...agent.args(run)];
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

/** What the model answers so that the agent does this. */
export function replyOf(actions: readonly AgentAction[], agent: RealAgent, cwd: string): ScriptedReply {
  const texts = actions.flatMap((action) => (action.do === "say" ? [action.text] : []));
  const [filled] = actions.flatMap((action) => (action.do === "fill" ? [action.tokens] : []));
  let happened: Promise<void> | undefined;
  const between = actions.flatMap((action) => (action.do === "meanwhile" ? [action.run] : []));
  return {
    text: texts.join("\n"),
    calls: actions.flatMap((action) => callOf(action, agent, cwd) ?? []),
    ...(filled === undefined ? {} : { inputTokens: filled }),
    // an agent that asks again after a lost connection finds the same world
    before: () => {
      happened ??= happenAll(between);
      return happened;
    },
  };
}

async function happenAll(between: readonly (() => unknown)[]): Promise<void> {
  for (const run of between) await run();
}

function callOf(action: AgentAction, agent: RealAgent, cwd: string): ScriptedCall | undefined {
  switch (action.do) {
    case "say":
    case "fill":
    case "meanwhile":
      return undefined;
    case "delete":
      return agent.more?.delete?.(action.path);
    case "rename":
      return agent.more?.rename?.(action.path, action.to);
    case "delegate":
      return agent.more?.delegate?.(action.prompt);
    case "background":
      return (
        agent.more?.background?.(action.command) ??
        agent.calls({ do: "shell", command: `(${action.command}) >/dev/null 2>&1 </dev/null &` }, cwd)
      );
    default:
      return agent.calls(action, cwd);
  }
}

/** An agent that hangs is ended after this. */
const longestRunMs = 240_000;
/** One that goes on after an interruption, after this. */
const longestGoodbyeMs = 15_000;

async function runProgram(
  program: string,
  args: readonly string[],
  {
    cwd,
    env,
    interruptAt,
  }: { readonly cwd: string; readonly env: NodeJS.ProcessEnv; readonly interruptAt?: string | undefined },
): Promise<string> {
  // a group of its own, as at a terminal: an interruption reaches the agent's wrapper and what it has started
  const child = spawn(program, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"], detached: true });
  const signal = (name: NodeJS.Signals) => {
    if (isGroupAlive(child.pid)) process.kill(-(child.pid ?? 0), name);
  };
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (piece: string) => {
      output += piece;
    });
  const timers = [setTimeout(() => signal("SIGKILL"), longestRunMs)];
  const watch = setInterval(() => {
    if (interruptAt === undefined || !existsSync(interruptAt)) return;
    clearInterval(watch);
    signal("SIGINT");
    timers.push(setTimeout(() => signal("SIGKILL"), longestGoodbyeMs));
  }, 50);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", resolve);
  });
  clearInterval(watch);
  // a wrapper may be gone before the agent itself is
  while (interruptAt !== undefined && isGroupAlive(child.pid)) await delay(50);
  for (const timer of timers) clearTimeout(timer);
  child.stdout.destroy();
  child.stderr.destroy();
  if (code !== 0 && interruptAt === undefined)
    throw new Error(`${program} ended with ${code}: ${output.slice(-4000)}`);
  return output;
}

function isGroupAlive(pid: number | undefined): boolean {
  try {
    return pid !== undefined && process.kill(-pid, 0);
  } catch {
    return false; // no process of it is left
  }
}
